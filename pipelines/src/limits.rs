//! How large things may be.

/// Bytes of a plan: its record is one value of the store.
pub const PLAN_BYTES_MAX: usize = 512 * 1024;
/// Jobs that have not been deleted.
pub const JOBS_MAX: usize = 1_000;
/// Bytes of a job's name.
pub const NAME_BYTES_MAX: usize = 63;
/// Entries of a job's log that are kept.
pub const EVENTS_MAX: usize = 1_000;
/// Subtasks of one stage.
pub const PARALLELISM_MAX: u32 = 1_024;
/// The shortest time between checkpoints, in milliseconds.
pub const CHECKPOINT_INTERVAL_MS_MIN: u64 = 50;
/// The longest, in milliseconds: a day.
pub const CHECKPOINT_INTERVAL_MS_MAX: u64 = 86_400_000;
