//! The stable words in [`rpc::Error::reason`] that it answers with.

/// It knows no service or instance of that name.
pub const UNKNOWN_TARGET: &str = "unknown-target";
/// What is asked for cannot be read; the message says where.
pub const INVALID_WISHES: &str = "invalid-wishes";
/// More at once than it looks for places for.
pub const TOO_MANY: &str = "too-many";
/// It has not heard from scheduling yet.
pub const NOT_READY: &str = "not-ready";
