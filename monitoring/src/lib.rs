//! How the fleet is: metrics gathered, alerts raised.
//!
//! Today it is an instance of the fleet like any other: it starts, is found through discovery,
//! answers the built-in procedures (`HEALTH`, `DESCRIBE`, `METRICS`, `DRAIN`) and drains. It has no
//! procedures of its own yet; 1001 to 1099 are its numbers.
//!
//! It will gather the `METRICS` of every instance, answer queries over them, and raise alerts.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "monitoring";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10800";
