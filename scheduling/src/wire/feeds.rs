//! Streams for people and faces: state, events, logs.

use rpc::{Deserializable, Serializable};

use super::instances::InstanceInfo;
use super::services::ServiceInfo;

/// From where to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct WatchArgs {
    /// Tell what came after this revision; absent: the whole state first. A revision that is too
    /// old is answered with the whole state too.
    #[serde(default)]
    pub from_revision: Option<u64>,
    /// Only this service.
    #[serde(default)]
    pub service: Option<String>,
}

/// What changed with one revision (or several, when the reader is slow to take them).
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct WatchItem {
    /// The state after it; what to watch from if the stream is lost.
    pub revision: u64,
    /// It is the whole state: forget what was told before.
    pub reset: bool,
    /// Services that are new or changed.
    pub services: Vec<ServiceInfo>,
    /// Instances that are new or changed.
    pub instances: Vec<InstanceInfo>,
    /// Services that are gone.
    pub services_gone: Vec<String>,
    /// Instances that are forgotten.
    pub instances_gone: Vec<String>,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct EventsArgs {
    /// Only those of this service, its slots and its instances.
    #[serde(default)]
    pub service: Option<String>,
    /// Only those of this instance.
    #[serde(default)]
    pub instance: Option<String>,
    /// How many of the past to begin with, the newest; 0 is none.
    #[serde(default)]
    pub tail: u32,
    /// Only those with a greater number: where an earlier stream ended.
    #[serde(default)]
    pub after: Option<u64>,
    /// Go on with new ones as they happen.
    #[serde(default)]
    pub follow: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct EventItem {
    /// Its number; grows, and is never used twice.
    pub number: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// To what: a service, slot, instance or node.
    pub subject: String,
    /// The service it concerns; absent for a node.
    pub service: Option<String>,
    /// What happened, in a word or two: `started`, `healthy`, `failed`, ...
    pub kind: String,
    /// Why.
    pub why: String,
}

/// Whose logs.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct LogsArgs {
    /// An instance (`echo.2.7`), a slot (`echo.2`: its newest instance) or a service (`echo`: the
    /// newest instance of each slot).
    pub target: String,
    /// How many of the last lines to begin with, for each instance and stream.
    #[serde(default)]
    pub tail: u32,
    /// Go on with new lines as they are written.
    #[serde(default)]
    pub follow: bool,
    /// Only one of the streams; absent: both.
    #[serde(default)]
    pub stream: Option<LogStream>,
}

/// Where a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct LogLine {
    /// Who wrote it.
    pub instance: String,
    /// Where to.
    pub stream: LogStream,
    /// Without its line end; what is no UTF-8 is replaced.
    pub text: String,
}
