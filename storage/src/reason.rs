//! The stable words with which calls are refused.

/// The value has more than 1 MiB.
pub const VALUE_TOO_LARGE: &str = "value-too-large";
/// A key is empty or too long, or a transaction has too many operations or bytes.
pub const LIMIT: &str = "limit";
/// The revision that was asked for lies in the future.
pub const FUTURE_REVISION: &str = "future-revision";
/// What was asked for is no longer known: read the keys again.
pub const COMPACTED: &str = "compacted";
/// There is no such lease, or it has ended.
pub const UNKNOWN_LEASE: &str = "unknown-lease";
/// A lease of no time, or of more than a day.
pub const BAD_TTL: &str = "bad-ttl";
/// The page's cursor is none of ours.
pub const BAD_CURSOR: &str = "bad-cursor";
/// Nobody leads just now.
pub const NO_LEADER: &str = "no-leader";
/// The leader went away while it worked on the call: whether it was done is not known.
pub const LEADER_LOST: &str = "leader-lost";
/// The state cannot be written.
pub const STORE_FAILED: &str = "store-failed";
/// There is no space on the disk.
pub const NO_SPACE: &str = "no-space";
