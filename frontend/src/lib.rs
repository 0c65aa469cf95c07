//! The fleet's public HTTP gateway.
//!
//! Today it answers `/`, `/livez`, `/readyz` and `/metrics` over HTTP, and the built-in procedures
//! on the same port; it starts, is found through discovery, and drains. It forwards nothing yet.
//! It will route requests to services by host and path, over their `rpc` channels.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "frontend";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:8081";
