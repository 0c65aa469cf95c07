//! Which instance gets a call, for callers that cannot decide themselves.
//!
//! Today it is an instance of the fleet like any other: it starts, is found through discovery,
//! answers the built-in procedures (`HEALTH`, `DESCRIBE`, `METRICS`, `DRAIN`) and drains. It has no
//! procedures of its own yet; 901 to 999 are its numbers.
//!
//! Services that speak `rpc` balance their calls themselves (`discovery::Resolver`). This service
//! will do so for others, and split traffic between versions.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "routing";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10300";
