//! A replicated key-value store for whoever runs on the fleet.
//!
//! Today it is an instance of the fleet like any other: it starts, is found through discovery,
//! answers the built-in procedures (`HEALTH`, `DESCRIBE`, `METRICS`, `DRAIN`) and drains. It has no
//! procedures of its own yet; 701 to 799 are its numbers.
//!
//! It will keep keys and values with revisions, transactions, watches and leases for the programs
//! that run on the fleet. The fleet's own services keep their state in `store`, not here.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "storage";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10600";
