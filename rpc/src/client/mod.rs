//! One connection, from the side that calls.

mod connection;
mod driver;
mod streaming;
mod unary;

pub(crate) use connection::{Connection, Handle, wake};
pub use streaming::Streaming;
pub(crate) use unary::{Request, Unary};
