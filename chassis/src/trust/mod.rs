//! Who calls, and whether it may: decided before any handler, in every service alike.
//!
//! Two kinds of tokens arrive in a call's metadata ([`rpc::AUTHORIZATION`]):
//! - *signed* ones ([`FleetKey`]), which every instance of the fleet gets at its start. They verify
//!   offline, with the fleet's public key, so that a fleet boots before anybody can be asked.
//! - *opaque* ones, which `security` issues to people and programs. Services know their digests
//!   and what they are good for from a [`TokenTable`] that somebody keeps up: see [`Tokens`].
//!
//! | setting | environment | what it says |
//! |---|---|---|
//! | `auth` | `ORRERY_AUTH` | `auto`, `required` or `off` |
//! | `fleet_key` | `ORRERY_FLEET_KEY` | the fleet's public key |
//! | `credential` | `ORRERY_CREDENTIAL` | a file with the token that this process shows |
//!
//! With `auto` calls are guarded as soon as there is somebody to believe: a fleet's key, or a table
//! of tokens. A service that was started by hand has neither; it serves whoever reaches its
//! loopback address, and does not start at all on another address.

mod authority;
mod files;
mod key;
mod records;
mod start;
mod table;
#[cfg(test)]
mod tests;
mod wire;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc::Receiver;

pub(crate) use authority::{Authority, AuthorityGuard};
pub use authority::{Doorman, Holder, Kind, holder, may};
pub(crate) use files::show_own_token;
pub use files::{OPERATOR_TOKEN, TokenFileError, read_token, show_operator_token, write_token};
pub use key::{Claims, FleetKey, FleetPublicKey, KeyError, TokenError};
pub(crate) use start::{authority, follow, refuse_strangers};
pub use table::{Digest, TokenTable, digest, spell};
pub use wire::{KnownToken, RecordedCall};

/// A table of tokens being kept up.
pub type Following = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What passes between a service and whoever knows the tokens.
pub struct Exchange {
    /// Where discovery is.
    pub registry: SocketAddr,
    /// To be filled, and kept up.
    pub table: Arc<TokenTable>,
    /// Calls to be put on record.
    pub calls: Receiver<RecordedCall>,
}

/// Keeps a [`TokenTable`] up to date, and takes what people call to the audit log. Security's
/// client implements it; each `main` joins the two.
pub trait Tokens: Send + 'static {
    /// Does so for ever.
    fn follow(self: Box<Self>, exchange: Exchange) -> Following;
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
