//! How much of everything there may be.

/// Jobs in one submission.
pub const BATCH_MAX: usize = 2_000;
/// Jobs that wait or run.
pub const ACTIVE_MAX: usize = 20_000;
/// Jobs that are over and remembered; the oldest are forgotten.
pub const HISTORY_MAX: usize = 20_000;
/// Jobs in one answer.
pub const PAGE_MAX: usize = 1_000;
/// What is remembered of what happened to a job.
pub const LOG_MAX: usize = 50;
/// Bytes of a key, a region, a tag or a tag's list.
pub const WORD_MAX: usize = 128;
