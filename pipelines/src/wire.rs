//! Arguments and results.

use std::collections::BTreeMap;

use rpc::{Deserializable, Serializable};

/// A new job.
#[derive(Clone, Debug, Default, PartialEq, Serializable, Deserializable)]
pub struct SubmitArgs {
    /// What it is called: a-z, 0-9 and `-`.
    pub name: String,
    /// What it computes: SQL, or the JSON of a plan.
    pub plan: String,
    /// From one checkpoint to the next, in milliseconds; 10 seconds if `None`.
    pub checkpoint_interval_ms: Option<u64>,
    /// A preview: it ends after so many milliseconds, and is not recovered.
    pub ttl_ms: Option<u64>,
    /// The environment of its workers.
    pub env: BTreeMap<String, String>,
}

impl SubmitArgs {
    /// This plan under this name, with the defaults.
    #[must_use]
    pub fn new(name: impl Into<String>, plan: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            plan: plan.into(),
            ..Self::default()
        }
    }
}

/// Which job.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct JobArgs {
    /// Its name.
    pub name: String,
}

impl JobArgs {
    /// The job of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// How a job stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum StopMode {
    /// After a last checkpoint, from which it can go on.
    #[default]
    Checkpoint,
    /// What was read flows to the sinks; no checkpoint, and no window that is still open.
    Graceful,
    /// All tasks end now.
    Immediate,
    /// Its workers are killed.
    Force,
}

/// A job shall stop.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct StopArgs {
    /// Which.
    pub name: String,
    /// How.
    pub mode: StopMode,
}

/// A job shall run at other parallelisms.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct RescaleArgs {
    /// Which.
    pub name: String,
    /// How many subtasks, by stage; `*` are all that are not named.
    pub parallelism: BTreeMap<String, u32>,
}

/// How a job restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum RestartMode {
    /// After a last checkpoint.
    #[default]
    Safe,
    /// At once, from the last checkpoint there is.
    Force,
}

/// A job shall start again.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct RestartArgs {
    /// Which.
    pub name: String,
    /// How, if it runs.
    pub mode: RestartMode,
    /// Checkpoints of lower epochs are not restored; `None` leaves it as it was.
    pub ignore_state_before_epoch: Option<u64>,
}

/// A job.
#[derive(Clone, Debug, Default, PartialEq, Serializable, Deserializable)]
pub struct JobInfo {
    /// Its name.
    pub name: String,
    /// Where it is: `running`, `scheduling`, and so on.
    pub state: String,
    /// What is wished: `run`, or how it shall stop.
    pub wish: String,
    /// How often it was scheduled.
    pub generation: u64,
    /// How often it was recovered since it was last healthy for a while.
    pub restarts: u32,
    /// How many subtasks each stage has, or shall have.
    pub parallelism: BTreeMap<String, u32>,
    /// Who runs its tasks.
    pub workers: Vec<WorkerInfo>,
    /// When its tasks first ran, in milliseconds since 1970.
    pub started_at_ms: Option<u64>,
    /// When it ended.
    pub finished_at_ms: Option<u64>,
    /// What went wrong last.
    pub failure: Option<String>,
    /// The newest checkpoint from which it could go on.
    pub checkpoint: Option<CheckpointInfo>,
}

/// A worker of a job.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct WorkerInfo {
    /// Its number.
    pub id: u64,
    /// On which node.
    pub node: String,
    /// How many slots it has.
    pub slots: u32,
    /// Its process.
    pub pid: u32,
    /// Where it takes orders.
    pub address: String,
}

/// A checkpoint of a job.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct CheckpointInfo {
    /// Its number.
    pub epoch: u64,
    /// The generation that took it.
    pub generation: u64,
    /// `in_progress`, `committing`, `ready`, `failed` or `dropping`.
    pub state: String,
    /// When it was begun, in milliseconds since 1970.
    pub started_at_ms: u64,
    /// When it was ready, or failed.
    pub finished_at_ms: Option<u64>,
    /// What its tasks wrote, in bytes.
    pub bytes: u64,
    /// Why it failed.
    pub why: Option<String>,
}

/// All jobs.
#[derive(Clone, Debug, Default, PartialEq, Serializable, Deserializable)]
pub struct ListReply {
    /// By name.
    pub jobs: Vec<JobInfo>,
}

/// A job's checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Serializable, Deserializable)]
pub struct CheckpointsReply {
    /// Newest first.
    pub checkpoints: Vec<CheckpointInfo>,
}

/// Why a job is where it is.
#[derive(Clone, Debug, Default, PartialEq, Serializable, Deserializable)]
pub struct WhyReply {
    /// One thing each.
    pub sentences: Vec<String>,
}

/// Which part of a job's log.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct EventsArgs {
    /// Whose.
    pub name: String,
    /// Only entries of greater numbers.
    pub after: u64,
}

/// A part of a job's log.
#[derive(Clone, Debug, Default, PartialEq, Serializable, Deserializable)]
pub struct EventsReply {
    /// Oldest first.
    pub events: Vec<LogEntry>,
}

/// An entry of a job's log.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct LogEntry {
    /// Its number; they grow.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    pub text: String,
}

/// What a job's tasks count.
#[derive(Clone, Debug, Default, PartialEq, Serializable, Deserializable)]
pub struct MetricsReply {
    /// Of every task whose worker answered.
    pub tasks: Vec<TaskNumbers>,
}

/// What one task counts, since it was started.
#[derive(Clone, Debug, Default, PartialEq, Serializable, Deserializable)]
pub struct TaskNumbers {
    /// Which, as in `count[1]`.
    pub task: String,
    /// Rows it took.
    pub rows_in: u64,
    /// Rows it gave.
    pub rows_out: u64,
    /// How long it waited for room at its outputs, in milliseconds.
    pub blocked_ms: u64,
    /// Rows that came too late.
    pub late_rows: u64,
    /// Rows that could not be read.
    pub bad_rows: u64,
    /// Its watermark, in microseconds since 1970.
    pub watermark: Option<i64>,
    /// Bytes of its state, about.
    pub state_bytes: u64,
}
