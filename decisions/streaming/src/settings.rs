//! Limits and patience. All times are milliseconds.

use serde::{Deserialize, Serialize};

/// Limits and patience of a job. The defaults are the reference's where it has them, and shorter
/// where its waits are what operators complain about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// From the first question for slots until enough workers are connected.
    pub worker_startup_ms: u64,
    /// From the start of the execution until every task has started.
    pub task_startup_ms: u64,
    /// From one question for slots to the next.
    pub slots_retry_ms: u64,
    /// How long the backend may take to answer one.
    pub slots_answer_ms: u64,
    /// Attempts to open the channel to a worker.
    pub channel_attempts: u32,
    /// The pause after the first of them; it doubles.
    pub channel_backoff_ms: u64,
    /// How long one attempt may take.
    pub channel_answer_ms: u64,
    /// A worker that was not heard of for so long is lost.
    pub heartbeat_timeout_ms: u64,
    /// After so long without trouble the count of restarts begins anew.
    pub healthy_ms: u64,
    /// How often a job is recovered in a row; `None` is for ever.
    pub restarts_max: Option<u32>,
    /// The pause before the second recovery in a row, and before the first repetition of a step;
    /// it doubles. The first recovery does not wait.
    pub backoff_ms: u64,
    /// The longest such pause.
    pub backoff_max_ms: u64,
    /// From a barrier until every task has its part of the checkpoint; then it is aborted.
    pub checkpoint_timeout_ms: u64,
    /// From the first commit message until every sink has committed; then the job is recovered.
    pub commit_timeout_ms: u64,
    /// From one commit message to the next, to whoever has not answered.
    pub commit_retry_ms: u64,
    /// How long tasks may take to end when they are asked to.
    pub stop_timeout_ms: u64,
    /// How long the backend may take to say that workers are gone.
    pub clear_timeout_ms: u64,
    /// From one order to end workers to its repetition.
    pub clear_retry_ms: u64,
    /// How long the workers may take to report to a controller that was started again.
    pub adopt_ms: u64,
    /// How many checkpoints can be restored at any time.
    pub checkpoints_kept: u32,
    /// So many more than that must have gathered before any is thrown away.
    pub garbage_batch: u32,
    /// How long it may take to write or read a checkpoint's manifest.
    pub manifest_timeout_ms: u64,
    /// How long the deletion of one batch may take.
    pub garbage_timeout_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker_startup_ms: 600_000,
            task_startup_ms: 120_000,
            slots_retry_ms: 1_000,
            slots_answer_ms: 10_000,
            channel_attempts: 3,
            channel_backoff_ms: 100,
            channel_answer_ms: 5_000,
            heartbeat_timeout_ms: 30_000,
            healthy_ms: 120_000,
            restarts_max: Some(20),
            backoff_ms: 500,
            backoff_max_ms: 60_000,
            checkpoint_timeout_ms: 60_000,
            commit_timeout_ms: 60_000,
            commit_retry_ms: 2_000,
            stop_timeout_ms: 60_000,
            clear_timeout_ms: 30_000,
            clear_retry_ms: 1_000,
            adopt_ms: 10_000,
            checkpoints_kept: 10,
            garbage_batch: 4,
            manifest_timeout_ms: 10_000,
            garbage_timeout_ms: 60_000,
        }
    }
}
