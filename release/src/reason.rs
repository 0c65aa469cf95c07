//! The stable words with which calls are refused.

/// There is no such release.
pub const UNKNOWN_RELEASE: &str = "unknown-release";
/// Another release of the service is under way.
pub const UNDER_WAY: &str = "release-under-way";
/// It is over.
pub const OVER: &str = "release-over";
/// The service runs that version already.
pub const NOTHING_TO_DO: &str = "nothing-to-do";
/// The plan makes no sense.
pub const BAD_PLAN: &str = "bad-plan";
/// The state cannot be written.
pub const STORE_FAILED: &str = "store-failed";
