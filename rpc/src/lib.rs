//! Calls between processes, by number.
//!
//! A service is declared once, with [`service!`]; from that come the constants of its procedures,
//! a trait for the server to implement, a typed client, and what `DESCRIBE` answers. Payloads are
//! plain structs that derive [`Serializable`] and [`Deserializable`]; they travel as bincode, or
//! as JSON for whoever has no Rust.
//!
//! One connection carries any number of calls. Each has a deadline, which travels with it and
//! shrinks hop by hop; dropping a call cancels it, and the cancellation reaches the handler, whose
//! future is dropped. Server streams are bounded by credit, in bytes: a reader that does not read
//! costs its sender a window, and nobody else anything.
//!
//! ```
//! use rpc::{Channel, Context, Deserializable, Error, Serializable, Server};
//!
//! #[derive(Debug, Clone, PartialEq, Serializable, Deserializable)]
//! pub struct GreetArgs {
//!     pub name: String,
//! }
//! #[derive(Debug, Clone, PartialEq, Serializable, Deserializable)]
//! pub struct Greeting {
//!     pub text: String,
//! }
//!
//! rpc::service! {
//!     /// Greets.
//!     trait Greeter, client GreeterClient, dispatch GreeterDispatch, name "greeter";
//!     /// Greets one person.
//!     read 9001 GREET_PROCEDURE greet(GreetArgs) -> Greeting;
//! }
//!
//! struct Polite;
//! impl Greeter for Polite {
//!     async fn greet(&self, _: &Context, args: GreetArgs) -> Result<Greeting, Error> {
//!         Ok(Greeting { text: format!("good day, {}", args.name) })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::new("greeter", "1.0.0").service(GreeterDispatch::new(Polite));
//! let running = server.listen("127.0.0.1:0".parse()?).await?;
//! let client = GreeterClient::new(Channel::to(running.address()));
//! let greeting = client.greet(&GreetArgs { name: "Ada".into() }).await?;
//! assert_eq!(greeting.text, "good day, Ada");
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//! `frame` and `slots` are the core: bytes and numbers, no I/O. `client` and `server` each drive
//! one connection with a single task that does everything there is to do per wake-up. `channel`
//! finds, shares and re-makes connections. `builtin` holds procedures 1 to 4 of every server.

// Lets this crate's own wire types use the derives, which name `::rpc`.
extern crate self as rpc;

#[expect(
    unreachable_pub,
    dead_code,
    reason = "`service!` makes public items; this crate exports and uses only some of them here"
)]
mod builtin;
mod bytes_field;
mod channel;
mod client;
mod clock;
mod codec;
mod context;
mod credential;
mod error;
mod frame;
mod limits;
mod metadata;
mod metrics;
mod outbox;
mod pump;
mod server;
mod service;
mod slots;

pub use builtin::{
    BuiltinClient, DESCRIBE_PROCEDURE, DRAIN_PROCEDURE, Description, DrainArgs, HEALTH_PROCEDURE,
    Health, HealthState, METRICS_PROCEDURE, MetricsText, ProcedureDescription,
};
pub use channel::{CallOptions, Channel, Endpoint, Reply};
pub use client::Streaming;
pub use codec::{Codec, CodecError, Deserializable, Empty, PAYLOAD_BYTES_MAX, Serializable};
pub use context::{Caller, Context};
pub use credential::{AUTHORIZATION, Credential};
pub use error::{Code, Error, Retry};
pub use frame::PREFACE_MAGIC;
pub use limits::Limits;
pub use metadata::Metadata;
pub use metrics::ProcedureStats;
pub use rpc_derive::{Deserializable, Serializable};
pub use server::{Guard, Running, Server, StreamSender};
pub use service::{Access, Dispatch, Procedure, Shape};

/// The number of a procedure: unique in the fleet, and never used for anything else later.
pub type ProcedureId = u32;

/// What generated code names. Not part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::bytes_field::deserialize as bytes_field;
    pub use crate::server::{HandlerFuture, Incoming};
    pub use schemars;
    pub use serde;
}
