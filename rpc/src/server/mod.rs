//! The side that answers.

mod connection;
mod driver;
mod handshakes;
mod incoming;
mod job;
mod listener;
mod router;
mod sender;
#[cfg(test)]
mod tests;

pub(crate) use connection::ServerConnection;
pub use incoming::{HandlerFuture, Incoming};
pub use listener::{Running, Server};
pub use router::Guard;
pub(crate) use router::{Route, Router};
pub use sender::StreamSender;
