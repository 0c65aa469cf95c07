//! Jobs with deadlines: what must be done while a satellite is in sight.
//!
//! Today it is an instance of the fleet like any other: it starts, is found through discovery,
//! answers the built-in procedures (`HEALTH`, `DESCRIBE`, `METRICS`, `DRAIN`) and drains. It has no
//! procedures of its own yet; 1201 to 1299 are its numbers.
//!
//! The scheduler that they will have is [`scheduler`]: a library with its own clock.
//! It will accept pass windows, order them by deadline, and have them run in time.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "passes";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:11400";

pub mod scheduler;
pub mod simulation;
