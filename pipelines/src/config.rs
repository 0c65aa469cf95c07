//! What this service can be told.

use std::path::PathBuf;

chassis::settings! {
    /// What pipelines can be told.
    pub(crate) struct Config {
        /// Slots on this machine: subtasks of one stage that can run at a time, over all jobs.
        pub(crate) slots: u32 = 64,
        /// Slots of one worker process.
        pub(crate) worker_slots: u32 = 4,
        /// The program of a worker; by default `pipeline-worker` beside this one.
        pub(crate) worker: Option<PathBuf> = None,
        /// After so many seconds without this service, workers end.
        pub(crate) orphan_seconds: u64 = 3_600,
        /// How often a job is recovered in a row before it fails; -1 is for ever.
        pub(crate) restarts_max: i64 = 20,
        /// How long enough workers may take to come, in seconds.
        pub(crate) worker_startup_seconds: u64 = 600,
        /// How many checkpoints of a job can be restored at any time.
        pub(crate) checkpoints_kept: u32 = 10,
    }
}

impl Config {
    /// What the state machine of a job is told.
    pub(crate) fn job(&self) -> streaming::Settings {
        streaming::Settings {
            restarts_max: u32::try_from(self.restarts_max).ok(),
            worker_startup_ms: self.worker_startup_seconds.saturating_mul(1_000),
            checkpoints_kept: self.checkpoints_kept,
            ..streaming::Settings::default()
        }
    }
}
