//! Instances, as callers see them.

use std::fmt;

use rpc::{Deserializable, Serializable};

/// Where an instance is in its life; `stopped`, `failed` and `lost` are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Wanted; no node yet.
    Pending,
    /// Has a node; not started yet.
    Scheduled,
    /// Started, and not ready yet.
    Starting,
    /// Ready, and answers.
    Healthy,
    /// Was ready, and no longer answers as it should.
    Unhealthy,
    /// Asked to end.
    Stopping,
    /// Ended because it was asked to.
    Stopped,
    /// Ended, or never started, without being asked to.
    Failed,
    /// Its node is gone.
    Lost,
}

impl InstanceState {
    /// The word shown to people, and used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Scheduled => "scheduled",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed | Self::Lost)
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One process of a service, or one that was or will be.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct InstanceInfo {
    /// Its name for all time: `service.index.generation`, as in `echo.2.7`.
    pub id: String,
    /// Its service.
    pub service: String,
    /// Which replica, from 0.
    pub index: u32,
    /// Which start of that replica.
    pub generation: u64,
    /// Where it is in its life.
    pub state: InstanceState,
    /// The node it was given to.
    pub node: Option<String>,
    /// Where it listens, once it has a port: `127.0.0.1:10100`.
    pub address: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Its process, once it was started.
    pub pid: Option<u32>,
    /// Starts in a row without a healthy period, this one included.
    pub attempt: u32,
    /// When it came into its present state, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// When it was first healthy, in milliseconds since the Unix epoch.
    pub healthy_since_ms: Option<u64>,
    /// The revision of the spec it was started from.
    pub spec_revision: u64,
    /// Why it is in its present state.
    pub reason: String,
    /// What went wrong, if something did.
    pub failure: Option<String>,
    /// The last lines it wrote, if it failed.
    pub last_lines: Vec<String>,
}

/// Which instances to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListInstancesArgs {
    /// Only this service's.
    #[serde(default)]
    pub service: Option<String>,
    /// Those too that have ended and are still remembered.
    #[serde(default)]
    pub ended: bool,
}

/// Some instances.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListInstancesReply {
    /// By service, index and generation.
    pub instances: Vec<InstanceInfo>,
    /// The state this was read from; watch from here for what comes after.
    pub revision: u64,
}

/// Which instance to end.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct StopInstanceArgs {
    /// Its id, as in `echo.2.7`.
    pub instance: String,
}

/// The wish to end it is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct StopInstanceReply {
    /// The instance as it is now.
    pub instance: InstanceInfo,
    /// The state that knows of it.
    pub revision: u64,
}

/// What to restart.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RestartArgs {
    /// A service, as in `echo` (one instance at a time), or an instance, as in `echo.2.7`.
    pub target: String,
}

/// The wish is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RestartReply {
    /// The state that knows of it.
    pub revision: u64,
}

/// Whose usage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct UsageArgs {
    /// Only this service's.
    #[serde(default)]
    pub service: Option<String>,
}

/// What instances use, at one moment. Two of these make a rate.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct UsageReply {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// By instance; those of other nodes are not among them.
    pub instances: Vec<InstanceUsage>,
}

/// What one instance uses.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct InstanceUsage {
    /// Which.
    pub instance: String,
    /// CPU time since it started, in milliseconds.
    pub cpu_time_ms: u64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Processes and threads that run now.
    pub pids: u64,
}
