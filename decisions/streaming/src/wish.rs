//! What an operator wants of a job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::Applied;
use crate::names::Epoch;
use crate::program::Program;

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

/// What an operator wants of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Whether, and how, it shall stop.
    pub stop: Stop,
    /// What shall run, at which parallelism. A change rescales the job.
    pub program: Program,
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
}

impl Wish {
    /// This program shall run.
    pub fn new(program: Program) -> Self {
        Self {
            stop: Stop::None,
            program,
            restart_nonce: 0,
            restart_mode: RestartMode::Safe,
            checkpoint_interval_ms: 10_000,
            ttl_ms: None,
            env: BTreeMap::new(),
            ignore_state_before_epoch: None,
        }
    }

    /// What tasks that are started now are started with.
    pub fn applied(&self) -> Applied {
        Applied {
            program: self.program.clone(),
            env: self.env.clone(),
            restart_nonce: self.restart_nonce,
        }
    }
}
