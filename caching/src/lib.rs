//! A cache with a time to live, shared by whoever calls it.
//!
//! Today it is an instance of the fleet like any other: it starts, is found through discovery,
//! answers the built-in procedures (`HEALTH`, `DESCRIBE`, `METRICS`, `DRAIN`) and drains. It has no
//! procedures of its own yet; 801 to 899 are its numbers.
//!
//! It will keep values for a while: get, set with a time to live, delete, invalidate.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "caching";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10700";
