//! Values that may be lost: near, fast, and bounded by bytes.
//!
//! # The shape
//! A replica holds keys with values for as long as they live and there is room; what is used least
//! goes first. Replicas know nothing of each other: [`Client`] spreads keys over those that
//! discovery knows ([`rendezvous`]), so that a replica that is lost takes its own keys with it, and
//! no others move.
//!
//! With `through`, a key that is not here is read from `storage` and kept. A hundred callers that
//! miss the same key at once are one read. What is written to storage is dropped here within
//! milliseconds: each replica watches the keys that it has read. While it cannot watch, or storage
//! cannot be reached, nothing that was read through is served, unless the caller takes what may be
//! old (`stale_ok`); the reply says how old.
//!
//! ```no_run
//! # async fn example() -> Result<(), rpc::Error> {
//! use std::time::Duration;
//!
//! let resolver = discovery::Resolver::new("127.0.0.1:10200".parse().unwrap());
//! let cache = caching::Client::new(resolver);
//! cache.set("greeting", "good day", Some(Duration::from_secs(60))).await?;
//! assert!(cache.get("greeting").await?.is_some());
//! # Ok(())
//! # }
//! ```

mod client;
pub mod limits;
pub mod reason;
pub mod rendezvous;
mod wire;

pub use client::Client;
pub use wire::{
    DeleteArgs, DeleteReply, GetArgs, GetManyArgs, GetManyReply, GetReply, InvalidateArgs,
    InvalidateReply, Item, SetArgs, SetManyArgs, StatsReply,
};

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "caching";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10700";

rpc::service! {
    /// Values that may be lost.
    trait Caching, client CachingClient, dispatch CachingDispatch, name SYSTEM_NAME;
    /// One value, if it is here, or with `through` if storage has it.
    read 801 GET_PROCEDURE get(GetArgs) -> GetReply;
    /// Keeps a value for a while.
    idempotent 802 SET_PROCEDURE set(SetArgs) -> rpc::Empty;
    /// Drops a value.
    idempotent 803 DELETE_PROCEDURE delete(DeleteArgs) -> DeleteReply;
    /// How full it is, and how often what was asked for was here.
    read 804 STATS_PROCEDURE stats(rpc::Empty) -> StatsReply;
    /// Several values at once, in the order of their keys.
    read 805 GET_MANY_PROCEDURE get_many(GetManyArgs) -> GetManyReply;
    /// Keeps several values.
    idempotent 806 SET_MANY_PROCEDURE set_many(SetManyArgs) -> rpc::Empty;
    /// Drops everything that begins so; everything at all if that is empty.
    idempotent 807 INVALIDATE_PROCEDURE invalidate(InvalidateArgs) -> InvalidateReply;
}
