//! Streaming dataflows with checkpoints.
//!
//! Today it is an instance of the fleet like any other: it starts, is found through discovery,
//! answers the built-in procedures (`HEALTH`, `DESCRIBE`, `METRICS`, `DRAIN`) and drains. It has no
//! procedures of its own yet; 1301 to 1399 are its numbers.
//!
//! It will start the workers of a dataflow, give them their tasks, and restore them from their
//! checkpoints.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "pipelines";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:11500";
