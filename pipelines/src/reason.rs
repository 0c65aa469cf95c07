//! The stable words with which calls are refused.

/// A name is empty, too long, or has other characters than a-z, 0-9 and `-`.
pub const BAD_NAME: &str = "bad-name";
/// The plan cannot be read or cannot run.
pub const BAD_PLAN: &str = "bad-plan";
/// A number is out of its range.
pub const BAD_SETTING: &str = "bad-setting";
/// There is no job of this name.
pub const UNKNOWN_JOB: &str = "unknown-job";
/// The plan has no stage of this name.
pub const UNKNOWN_STAGE: &str = "unknown-stage";
/// A job of this name has another plan.
pub const JOB_EXISTS: &str = "job-exists";
/// There are as many jobs as there may be.
pub const TOO_MANY_JOBS: &str = "too-many-jobs";
/// A job that has not ended cannot be deleted.
pub const STILL_RUNS: &str = "still-runs";
/// A job that came to its end cannot be started again.
pub const FINISHED: &str = "finished";
/// The state cannot be written.
pub const STORE_FAILED: &str = "store-failed";
/// Who asks does not know the worker's secret.
pub const NOT_YOURS: &str = "not-yours";
/// The worker runs something else than was meant.
pub const OTHER_GENERATION: &str = "other-generation";
/// The worker cannot set up what it was given.
pub const CANNOT_SET_UP: &str = "cannot-set-up";
