//! New versions, in waves, with gates and a way back.
//!
//! Today it is an instance of the fleet like any other: it starts, is found through discovery,
//! answers the built-in procedures (`HEALTH`, `DESCRIBE`, `METRICS`, `DRAIN`) and drains. It has no
//! procedures of its own yet; 501 to 599 are its numbers.
//!
//! It will change the wishes that `scheduling` holds, wave by wave, and take them back when a gate
//! says so. `scheduling` knows no releases.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "release";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:11000";
