//! Who may do what: tokens, certificates, roles.
//!
//! Today it is an instance of the fleet like any other: it starts, is found through discovery,
//! answers the built-in procedures (`HEALTH`, `DESCRIBE`, `METRICS`, `DRAIN`) and drains. It has no
//! procedures of its own yet; 601 to 699 are its numbers.
//!
//! It will issue tokens and certificates, which every service verifies by itself, offline.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "security";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:11100";
