//! The stable words with which calls are refused.

/// There is no such job.
pub const UNKNOWN_JOB: &str = "unknown-job";
/// The job is over.
pub const JOB_OVER: &str = "job-over";
/// A job makes no sense; nothing of its batch was accepted.
pub const BAD_JOB: &str = "bad-job";
/// Too many jobs wait or run, or come at once.
pub const TOO_MANY: &str = "too-many-jobs";
/// Nothing is known of the nodes yet.
pub const NO_NODES_YET: &str = "no-nodes-yet";
/// The state cannot be written.
pub const STORE_FAILED: &str = "store-failed";
