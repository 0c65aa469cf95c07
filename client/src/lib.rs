//! One handle on the fleet, for its faces: the page, the command line, the gateway.
//!
//! A [`Fleet`] knows where scheduling and discovery are. It gives the typed client of scheduling,
//! and finds any other service by name, describes it and calls its procedures in JSON: a
//! [`Service`] needs no type of what it calls, so that a face speaks with services that were
//! written after it. No state of the fleet is kept here and nothing is decided.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let running = rpc::Server::new("echo", "1.0.0").listen("127.0.0.1:0".parse()?).await?;
//! use client::Service;
//!
//! let echo = Service::at("echo", running.address(), Default::default()).await?;
//! let health = echo.procedure("health")?;
//! let answer = echo.call(health, &serde_json::json!({})).await?;
//! assert_eq!(answer["state"], "serving");
//! # Ok(())
//! # }
//! ```

mod addresses;
mod fleet;
mod service;

pub use addresses::{ADDRESS_VARIABLE, Addresses, DISCOVERY_VARIABLE};
pub use configuration;
pub use discovery;
pub use fleet::Fleet;
pub use passes;
pub use pipelines;
pub use release;
pub use resource_scheduler;
pub use scheduling;
pub use security;
pub use service::Service;
