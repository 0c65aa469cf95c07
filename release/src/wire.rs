//! What travels.

use rpc::{Deserializable, Serializable};
use scheduling::Version;

/// How the newer version takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Batch after batch.
    Rolling,
    /// A few slots first, each time for a while, then all.
    Canary(Vec<CanaryStep>),
    /// A whole second set beside the first, both for a while; then the old one goes.
    BlueGreen {
        /// For how long both are there, in milliseconds.
        keep_ms: u64,
    },
}

/// A part of the service, and for how long it is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct CanaryStep {
    /// Percent of the replicas, 1 to 100.
    pub percent: u32,
    /// How long, in milliseconds.
    pub hold_ms: u64,
}

/// What the newer version has to keep to. A limit is broken when what was counted lies beyond it
/// and is no chance (less likely than one in a thousand): one error of fifty calls breaks none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Gates {
    /// With fewer calls than this nothing is judged.
    pub calls_min: u64,
    /// At most so many errors of a thousand calls, whatever the older version does,
    pub errors_permille_max: u64,
    /// and at most so many more than the older version.
    pub errors_permille_more: u64,
    /// Its p99 is at most so many times the older version's,
    pub p99_times: u64,
    /// or at most so much longer, in microseconds.
    pub p99_more_us: u64,
}

/// Begins a release.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct CreateArgs {
    /// Of which service.
    pub service: String,
    /// What it is to run.
    pub version: Version,
    /// How.
    pub strategy: Strategy,
    /// Slots in one step; a tenth of the replicas and at least one when absent.
    #[serde(default)]
    pub batch: Option<u32>,
    /// For how long a step must be well before the next, in milliseconds; 1,000 when absent.
    #[serde(default)]
    pub settle_ms: Option<u64>,
    /// How long no further slot may become well, in milliseconds; 60,000 when absent. Then it goes
    /// back.
    #[serde(default)]
    pub progress_ms: Option<u64>,
    /// Wait for `advance` at each step.
    #[serde(default)]
    pub by_hand: bool,
    /// What the newer version has to keep to; when absent: from 50 calls on at most 5 % errors and
    /// 1 % more than the older version, a p99 of at most twice as long or 10 ms longer.
    #[serde(default)]
    pub gates: Option<Gates>,
}

impl CreateArgs {
    /// A release with everything else as most want it.
    #[must_use]
    pub fn new(service: impl Into<String>, version: Version, strategy: Strategy) -> Self {
        Self {
            service: service.into(),
            version,
            strategy,
            batch: None,
            settle_ms: None,
            progress_ms: None,
            by_hand: false,
            gates: None,
        }
    }
}

/// Names a release.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ReleaseArgs {
    /// As in `r-12`.
    pub id: String,
}

/// Goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RollbackArgs {
    /// As in `r-12`.
    pub id: String,
    /// Why, for the record.
    #[serde(default)]
    pub why: String,
}

/// Asks for releases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListArgs {
    /// Only this service's.
    #[serde(default)]
    pub service: Option<String>,
    /// At most so many; 0 is as many as there may be (100).
    #[serde(default)]
    pub limit: u32,
}

/// Releases.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListReply {
    /// Newest first.
    pub releases: Vec<ReleaseInfo>,
}

/// Asks for every change of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct WatchArgs {
    /// As in `r-12`.
    pub id: String,
}

/// What happened to a release.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct LogEntry {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What.
    pub what: String,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ReleaseInfo {
    /// As in `r-12`.
    pub id: String,
    /// Of which service.
    pub service: String,
    /// `running`, `rolling-back`, `done`, `rolled-back` or `superseded`.
    pub phase: String,
    /// Why, if it is not where it was to go.
    pub why: String,
    /// Whether it stays where it is.
    pub paused: bool,
    /// Which step it is at, from 1.
    pub step: u32,
    /// How many there are.
    pub steps: u32,
    /// What it waits for just now; empty when nothing is known.
    pub waiting: String,
    /// What the service ran before.
    pub from: Version,
    /// What it is to run.
    pub to: Version,
    /// Who began it.
    pub by: String,
    /// When, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// Counts what happened to it.
    pub changes: u64,
    /// What happened to it, oldest first; the last hundred.
    pub log: Vec<LogEntry>,
}
