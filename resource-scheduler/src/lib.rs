//! Which node gets an instance.
//!
//! Today it is an instance of the fleet like any other: it starts, is found through discovery,
//! answers the built-in procedures (`HEALTH`, `DESCRIBE`, `METRICS`, `DRAIN`) and drains. It has no
//! procedures of its own yet; 1101 to 1199 are its numbers.
//!
//! It will watch instances that wait for a place, decide, and write the decision back to
//! `scheduling`; it holds no state of its own. Until it does, `scheduling` places everything on the
//! local machine.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "resource-scheduler";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:11300";
