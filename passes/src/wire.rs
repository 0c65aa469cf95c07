//! What travels.

use std::collections::BTreeMap;

use rpc::{Deserializable, Serializable};
use scheduling::Program;

/// What happens to a job that still runs at its deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum WhenLate {
    /// It is stopped: what it would still deliver is worth nothing.
    #[default]
    Stop,
    /// It goes on, and is counted as missed.
    Finish,
}

/// A job: a program that has to have ended, with code 0, before its deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct JobSpec {
    /// The submitter's own name for it; a second job with the same one is the first. Empty: none.
    #[serde(default)]
    pub key: String,
    /// Whose share it is counted to, and where it runs if it can.
    pub region: String,
    /// 0: alerts, 1: pass windows, 2: batch.
    pub priority_class: u8,
    /// When it has to be done, in milliseconds since the Unix epoch.
    pub deadline_ms: u64,
    /// How long it is expected to run, in milliseconds.
    pub estimated_runtime_ms: u64,
    /// What it holds while it runs: thousandths of a core,
    pub cpu_millicores: u32,
    /// mebibytes,
    pub memory_mb: u32,
    /// and whole GPUs.
    #[serde(default)]
    pub gpu_count: u32,
    /// Only nodes that have all of these labels, as in `station=svalbard-1`.
    #[serde(default)]
    pub required_tags: Vec<String>,
    /// What runs.
    pub program: Program,
    /// Extra environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What happens when it is late.
    #[serde(default)]
    pub when_late: WhenLate,
}

/// Submits jobs: one, or a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SubmitArgs {
    /// At most [`BATCH_MAX`](crate::limits::BATCH_MAX).
    pub jobs: Vec<JobSpec>,
}

/// What became of one submitted job.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Submitted {
    /// It waits for its turn, durably.
    Accepted {
        /// Its id from now on.
        id: u64,
    },
    /// It cannot be done in time.
    Refused {
        /// Why: what is missing, and until when it would have had to start.
        why: String,
    },
}

/// The accepted jobs are durable.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SubmitReply {
    /// For each job, in their order.
    pub results: Vec<Submitted>,
}

/// Nobody wants a job any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct CancelArgs {
    /// Which.
    pub id: u64,
}

/// Where a job is in its life; all but `waiting` and `running` are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum JobPhase {
    /// It has no place yet.
    Waiting,
    /// It was given to a node.
    Running,
    /// It ended with code 0.
    Done,
    /// It ended otherwise, or could not be started.
    Failed,
    /// It was not done at its deadline.
    Missed,
    /// Nobody wanted it any more.
    Cancelled,
}

impl JobPhase {
    /// Whether it is over.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }

    /// The word shown to people, and used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Missed => "missed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Asks for jobs, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListArgs {
    /// Only these; empty: all.
    #[serde(default)]
    pub ids: Vec<u64>,
    /// Only those in this phase.
    #[serde(default)]
    pub phase: Option<JobPhase>,
    /// At most so many; 0 is as many as there may be (1,000).
    #[serde(default)]
    pub limit: u32,
}

/// Jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListReply {
    /// Newest first.
    pub jobs: Vec<JobInfo>,
}

/// Asks for jobs as they are, and then for every change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct WatchArgs {
    /// Only these, until all of them are over; empty: all jobs, for ever.
    #[serde(default)]
    pub ids: Vec<u64>,
}

/// What happened to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct LogEntry {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What.
    pub what: String,
}

/// A job, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct JobInfo {
    /// Unique.
    pub id: u64,
    /// What was submitted.
    pub spec: JobSpec,
    /// Where it is in its life.
    pub phase: JobPhase,
    /// The node it was given to last.
    pub node: Option<String>,
    /// How many times it was given to a node.
    pub attempt: u32,
    /// Who submitted it.
    pub by: String,
    /// When, in milliseconds since the Unix epoch.
    pub submitted_ms: u64,
    /// When it was given to its node.
    pub started_ms: Option<u64>,
    /// When it was over.
    pub ended_ms: Option<u64>,
    /// Why it is as it is, in a sentence.
    pub why: String,
    /// What happened to it, oldest first; the last fifty.
    pub log: Vec<LogEntry>,
}

/// Counts since the service began, and how things are now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct StatsReply {
    /// Nodes that jobs can run on.
    pub machines: u32,
    /// The share of their CPU or memory that jobs hold, whichever is more, in percent.
    pub used_pct: u32,
    /// How many wait, by class.
    pub waiting: Vec<u64>,
    /// How many run.
    pub running: u64,
    /// Jobs that were submitted, the refused ones too.
    pub submitted: u64,
    /// Jobs that were refused.
    pub refused: u64,
    /// Jobs that ended with code 0, in time.
    pub done: u64,
    /// Jobs that ended otherwise.
    pub failed: u64,
    /// Jobs that were not done at their deadline.
    pub missed: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Running jobs that lost their place to an alert.
    pub preempted: u64,
    /// Running jobs that were moved to an emptier node.
    pub migrated: u64,
    /// Jobs that lost their node.
    pub lost: u64,
    /// How often a worker without work looked into another's queue.
    pub steal_attempts: u64,
    /// How often it found something.
    pub steal_successes: u64,
    /// Decisions of all workers.
    pub decisions: u64,
    /// What the last tick took, in microseconds.
    pub tick_us: u64,
    /// How old the last look at the nodes is, in milliseconds.
    pub looked_ms_ago: u64,
}
