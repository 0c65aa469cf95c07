//! How much of everything there may be.

/// Releases that are remembered; the oldest that are over are forgotten.
pub const RELEASES_MAX: usize = 1_000;
/// Releases in one answer.
pub const PAGE_MAX: u32 = 100;
/// What is remembered of what happened to a release.
pub const LOG_MAX: usize = 100;
