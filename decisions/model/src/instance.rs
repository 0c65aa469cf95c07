//! What is: one started (or to be started) process of a slot.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{InstanceId, NodeId, Revision, Timestamp};

/// Where an instance is in its life. Terminal states are never left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Wanted; no node yet.
    Pending,
    /// Has a node; its agent has not started it yet.
    Scheduled,
    /// Its process was started and is not ready yet.
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
    /// Whether it is over.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed | Self::Lost)
    }

    /// Whether there may be a process.
    #[must_use]
    pub fn may_have_process(self) -> bool {
        !self.is_terminal() && self != Self::Pending
    }

    /// The word shown to people, and used in every interface.
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
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A process that cannot be mistaken for another one: pids are reused, start times are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Which boot of the machine, from `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// The process id.
    pub pid: u32,
    /// When it started, in clock ticks since that boot (`/proc/PID/stat`, field 22).
    pub start_ticks: u64,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// The kernel ended it because its memory limit was reached.
    OutOfMemory,
    /// It is gone; nobody who could have asked was there.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::OutOfMemory => f.write_str("killed by the kernel: out of memory"),
            Self::Unknown => f.write_str("gone, exit status unknown"),
        }
    }
}

/// Why an instance is `failed` (or why its last attempt did not last).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The process ended by itself.
    Exited {
        /// How.
        exit: Exit,
        /// The last lines of its log.
        last_lines: Vec<String>,
    },
    /// It could not be started; the text says why and what to do.
    NotStarted {
        /// What the agent said.
        why: String,
        /// Whether trying again may help (a missing file will not appear by itself).
        retryable: bool,
    },
    /// Its port belongs to somebody else.
    PortTaken {
        /// The port.
        port: u16,
        /// Who holds it, as far as can be told.
        owner: String,
    },
    /// It did not become ready in time.
    NotReady {
        /// How long it was given.
        deadline_ms: u64,
        /// The last lines of its log.
        last_lines: Vec<String>,
    },
    /// It stopped answering its liveness probe and was killed.
    Unresponsive {
        /// The last bad answer.
        why: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { exit, .. } => write!(f, "{exit}"),
            Self::NotStarted { why, .. } => write!(f, "could not be started: {why}"),
            Self::PortTaken { port, owner } => write!(f, "port {port} is taken by {owner}"),
            Self::NotReady { deadline_ms, .. } => {
                write!(f, "not ready after {deadline_ms} ms")
            }
            Self::Unresponsive { why } => write!(f, "stopped answering: {why}"),
        }
    }
}

/// A fact: one instance, as far as the control plane knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name for all time.
    pub id: InstanceId,
    /// Which revision of its service's spec it was started from.
    pub spec_revision: Revision,
    /// Where it is in its life.
    pub state: InstanceState,
    /// The node it was given to.
    pub node: Option<NodeId>,
    /// The port it was given.
    pub port: Option<u16>,
    /// Its process, once there is one.
    pub process: Option<ProcessIdentity>,
    /// How many starts in a row, this one included, had no healthy period between them.
    pub attempt: u32,
    /// It must not be started before this moment (restart backoff).
    pub not_before: Timestamp,
    /// When it came into its present state.
    pub since: Timestamp,
    /// When it was first healthy, if it ever was.
    pub healthy_since: Option<Timestamp>,
    /// Why it is in its present state, in a sentence.
    pub reason: String,
    /// What went wrong, when something did.
    pub failure: Option<Failure>,
}
