//! What an operator wants of a job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{CheckpointId, Epoch};
use crate::program::Parallelism;

/// Whether, and how, the job shall stop.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// It shall run.
    #[default]
    None,
    /// Take a last checkpoint, then stop.
    Checkpoint,
    /// Let what was read flow to the sinks; open windows are not fired. No checkpoint is taken.
    Graceful,
    /// End all tasks now.
    Immediate,
    /// Kill the workers.
    Force,
}

/// How to restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartMode {
    /// With a last checkpoint.
    #[default]
    Safe,
    /// At once, from the last checkpoint there is.
    Force,
}

/// A checkpoint of another job, to start from when this job has none of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Whose it is.
    pub job: String,
    /// Which. It must be a named one, or its owner may throw it away.
    pub checkpoint: CheckpointId,
}

/// What an operator wants of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Whether, and how, it shall stop.
    pub stop: Stop,
    /// Parallelisms that differ from the program's.
    pub parallelism: Parallelism,
    /// The job restarts whenever this changes.
    pub restart_nonce: u64,
    /// How it restarts then.
    pub restart_mode: RestartMode,
    /// From the start of one checkpoint to the start of the next, in milliseconds.
    pub checkpoint_interval_ms: u64,
    /// A preview: it runs this long, in milliseconds, and is not recovered.
    pub ttl_ms: Option<u64>,
    /// The workers' environment. A change restarts the job safely.
    pub env: BTreeMap<String, String>,
    /// Checkpoints of lower epochs are not restored: the job starts from nothing instead.
    pub ignore_state_before_epoch: Option<Epoch>,
    /// Where the job starts from when it has no checkpoint of its own.
    pub fork_of: Option<Origin>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            stop: Stop::None,
            parallelism: Parallelism::new(),
            restart_nonce: 0,
            restart_mode: RestartMode::Safe,
            checkpoint_interval_ms: 10_000,
            ttl_ms: None,
            env: BTreeMap::new(),
            ignore_state_before_epoch: None,
            fork_of: None,
        }
    }
}
