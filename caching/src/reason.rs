//! The stable words with which calls are refused.

/// A key is empty or too long.
pub const BAD_KEY: &str = "bad-key";
/// A value is too long.
pub const VALUE_TOO_LARGE: &str = "value-too-large";
/// Too many keys in one call.
pub const TOO_MANY: &str = "too-many";
/// A time to live is 0.
pub const BAD_TTL: &str = "bad-ttl";
/// Storage cannot be reached, and the caller does not take what may be old.
pub const STORAGE_AWAY: &str = "storage-away";
/// No replica can be called.
pub const NO_REPLICA: &str = "no-replica";
