//! Values that change while services run.
//!
//! Today it is an instance of the fleet like any other: it starts, is found through discovery,
//! answers the built-in procedures (`HEALTH`, `DESCRIBE`, `METRICS`, `DRAIN`) and drains. It has no
//! procedures of its own yet; 301 to 399 are its numbers.
//!
//! Start-up settings are a file and the environment; this service is for what changes after that.
//! It will hold values with revisions, compare-and-set, watches and rollback.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "configuration";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10500";
