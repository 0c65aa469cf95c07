//! The stable words with which calls are refused.

/// The key has a shape that no key has.
pub const BAD_KEY: &str = "bad-key";
/// The value does not fit the declared type or range.
pub const BAD_VALUE: &str = "bad-value";
/// The value is too long.
pub const VALUE_TOO_LARGE: &str = "value-too-large";
/// The service has declared its keys, and this is none of them.
pub const UNDECLARED: &str = "undeclared-key";
/// Nothing is set, and nothing declared.
pub const UNKNOWN_KEY: &str = "unknown-key";
/// The key is not at the revision that was asked for.
pub const REVISION_MOVED: &str = "revision-moved";
/// The history does not go back to that number.
pub const UNKNOWN_NUMBER: &str = "unknown-number";
/// A declaration contradicts itself.
pub const BAD_DECLARATION: &str = "bad-declaration";
/// A declaration does not allow what is set already.
pub const CONTRADICTS_VALUE: &str = "contradicts-value";
/// The page's cursor is none of ours.
pub const BAD_CURSOR: &str = "bad-cursor";
/// The state cannot be written.
pub const STORE_FAILED: &str = "store-failed";
/// There is no space on the disk.
pub const NO_SPACE: &str = "no-space";
