//! What is known of a job, and kept in the store.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{CheckpointId, Generation, TaskId, WorkerId};
use crate::program::Program;

/// Where a job is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Submitted.
    #[default]
    Created,
    /// Its program is checked.
    Compiling,
    /// It gets workers, a checkpoint to start from, and its tasks.
    Scheduling,
    /// All tasks run.
    Running,
    /// A last checkpoint before it runs with another parallelism.
    Rescaling,
    /// A last checkpoint before it runs again.
    Restarting,
    /// Something broke; what is left of the tasks is ended.
    Recovering,
    /// A last checkpoint before it stops.
    CheckpointStopping,
    /// Its tasks are ended.
    Stopping,
    /// All sources came to their end.
    Finishing,
    /// It cannot go on; what is left of it is ended.
    Failing,
    /// Stopped by wish.
    Stopped,
    /// Its sources came to an end, and all their rows are out.
    Finished,
    /// It cannot go on by itself.
    Failed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 14] = [
        Self::Created,
        Self::Compiling,
        Self::Scheduling,
        Self::Running,
        Self::Rescaling,
        Self::Restarting,
        Self::Recovering,
        Self::CheckpointStopping,
        Self::Stopping,
        Self::Finishing,
        Self::Failing,
        Self::Stopped,
        Self::Finished,
        Self::Failed,
    ];

    /// Nothing of the job runs, and nothing will unless the wish changes.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Stopped | Self::Finished | Self::Failed)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// The program's, or its data's.
    User,
    /// Ours.
    #[default]
    Internal,
    /// Of something we depend on: a disk, a network, another service.
    External,
}

/// Whether it makes sense to try again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryHint {
    /// It would fail again.
    NoRetry,
    /// After a pause.
    #[default]
    WithBackoff,
    /// After a pause, and from an older checkpoint: this one cannot be used.
    OlderCheckpoint,
}

/// What went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whose fault it is.
    pub domain: Domain,
    /// Whether to try again.
    pub hint: RetryHint,
    /// What happened, for people.
    pub message: String,
    /// In which task.
    pub task: Option<TaskId>,
}

/// What the running tasks were started with: a wish that differs from it restarts them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// What runs, at which parallelism.
    pub program: Program,
    /// The workers' environment.
    pub env: BTreeMap<String, String>,
    /// The restart that was last done.
    pub restart_nonce: u64,
}

/// A worker that has tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerFact {
    /// Which.
    pub id: WorkerId,
    /// On which node.
    pub node: String,
    /// How many slots it brought.
    pub slots: u32,
}

/// What is known of a job: written through [`crate::Action::Save`], and where it goes on after a
/// crash of its controller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Where the job is.
    pub state: State,
    /// How often it was scheduled.
    pub generation: Generation,
    /// How often it was recovered since it was last healthy for a while.
    pub restarts: u32,
    /// When all tasks first ran, in milliseconds of the caller's clock; kept over recoveries.
    pub started_at_ms: Option<u64>,
    /// When it came to an end.
    pub finished_at_ms: Option<u64>,
    /// Why it failed, is being recovered, or stopped without its last checkpoint.
    pub failure: Option<Failure>,
    /// Who runs its tasks: whom to ask after a crash of the controller.
    pub workers: Vec<WorkerFact>,
    /// What they were started with.
    pub applied: Applied,
    /// The checkpoint they were started from.
    pub restored: Option<CheckpointId>,
}

impl Failure {
    /// Something to be tried again.
    pub fn retryable(domain: Domain, message: impl Into<String>) -> Self {
        Self {
            domain,
            hint: RetryHint::WithBackoff,
            message: message.into(),
            task: None,
        }
    }

    /// Something that would happen again.
    pub fn fatal(domain: Domain, message: impl Into<String>) -> Self {
        Self {
            hint: RetryHint::NoRetry,
            ..Self::retryable(domain, message)
        }
    }
}
