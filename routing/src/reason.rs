//! The stable words with which calls are refused.

/// No instance of the service can be called.
pub const NO_INSTANCE: &str = "no-instance";
/// Nearly every call to the service failed a moment ago: none is made for a while.
pub const CIRCUIT_OPEN: &str = "circuit-open";
/// A split that makes no sense.
pub const BAD_SPLIT: &str = "bad-split";
/// The state cannot be written.
pub const STORE_FAILED: &str = "store-failed";
/// Too many services are called.
pub const TOO_MANY: &str = "too-many";
/// A call to routing itself: it would go round in circles.
pub const IN_CIRCLES: &str = "in-circles";
