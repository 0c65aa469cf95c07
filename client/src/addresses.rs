//! Where the fleet is.

use std::net::SocketAddr;

/// The environment variable that says where scheduling listens.
pub const ADDRESS_VARIABLE: &str = "ORRERY_ADDRESS";
/// The environment variable that says where discovery listens; every service reads it too.
pub const DISCOVERY_VARIABLE: &str = "ORRERY_DISCOVERY";

/// Where the two services listen from which every other one can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Owns wishes and facts.
    pub scheduling: SocketAddr,
    /// Knows who serves what.
    pub discovery: SocketAddr,
}
