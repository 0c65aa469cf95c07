//! The stable words with which calls are refused.

/// A name or label is empty, too long, or has characters that none has.
pub const BAD_SAMPLE: &str = "bad-sample";
/// More samples, rules or points than there may be.
pub const TOO_MANY: &str = "too-many";
/// The span or step of a query makes no sense.
pub const BAD_RANGE: &str = "bad-range";
/// A rule that can never hold, or has a webhook that is none.
pub const BAD_RULE: &str = "bad-rule";
/// The state cannot be written.
pub const STORE_FAILED: &str = "store-failed";
