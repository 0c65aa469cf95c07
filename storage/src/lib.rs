//! The store over RPC: keys in order, transactions, watches, leases.
//!
//! # The shape
//! What [`store`] promises inside a process, this service promises to the fleet, in the same words:
//! every write has a *revision*, a transaction compares and then writes or does not, a watch tells
//! each change once and in order, a lease takes its keys with it when it ends. Keys are text, of
//! at most 4 KiB; values are bytes, of at most 1 MiB.
//!
//! # One leads
//! Replicas on one machine share a folder. Whoever holds its lock has the store open and *leads*;
//! the others forward each call to the leader, with the caller's own deadline and token, and say so
//! beside the reply ([`LEADER_METADATA`]). So there is one keyspace, and it is linearizable: there
//! is one store, and the kernel gives its lock to one process. A leader that dies loses the lock
//! with its life, so that a deposed leader cannot serve anybody: it is dead. The next one opens the
//! store within a tenth of a second, and calls that may be repeated are forwarded to it without
//! their callers noticing. A write whose leader died before it answered is the caller's to look
//! after: the error says that it may have been made ([`reason::LEADER_LOST`]). A watch through a
//! follower goes on with the next leader, from the last revision that it told; one at the leader
//! itself ends with it, with an error that may be tried again.
//!
//! ```no_run
//! # async fn example() -> Result<(), rpc::Error> {
//! use storage::{GetArgs, PutArgs, StorageClient};
//!
//! let resolver = discovery::Resolver::new("127.0.0.1:10200".parse().unwrap());
//! let storage = StorageClient::new(resolver.channel(storage::SYSTEM_NAME));
//! let put = storage.put(&PutArgs::new("orbits/25544", "1 25544U 98067A ...")).await?;
//! let got = storage.get(&GetArgs::new("orbits/25544")).await?;
//! assert_eq!(got.item.map(|item| item.modified), Some(put.revision));
//! # Ok(())
//! # }
//! ```

pub mod reason;
mod wire;

pub use store::limits::{KEY_BYTES_MAX, LEASE_TTL_MAX, TXN_OPS_MAX, VALUE_BYTES_MAX};
pub use wire::{
    Comparison, DeleteArgs, Field, GetArgs, GetReply, GrantArgs, Is, Item, KeepAliveArgs, Keys,
    Lease, Operation, Outcome, PutArgs, RevokeArgs, Role, ScanArgs, ScanReply, StatusReply,
    StorageEvent, TxnArgs, TxnReply, WatchArgs, Written,
};

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "storage";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10600";
/// Beside a reply that was forwarded: the address of the replica that gave it. Errors and streams
/// carry nothing beside them; [`StatusReply::leader`] says it at any time.
pub const LEADER_METADATA: &str = "storage-leader";
/// A watch says at least this often how far it has come, changes or none. A reader that hears
/// nothing for much longer has lost it, whatever its connection says.
pub const PROGRESS_EVERY: std::time::Duration = std::time::Duration::from_millis(250);

rpc::service! {
    /// The store over RPC.
    trait Storage, client StorageClient, dispatch StorageDispatch, name SYSTEM_NAME;
    /// One key as it is now.
    read 701 GET_PROCEDURE get(GetArgs) -> GetReply;
    /// Gives a key a value.
    write 702 PUT_PROCEDURE put(PutArgs) -> Written;
    /// Takes a key away. No error if there is none.
    idempotent 703 DELETE_PROCEDURE delete(DeleteArgs) -> Written;
    /// Keys in order, page by page, all pages as of one revision.
    read 704 SCAN_PROCEDURE scan(ScanArgs) -> ScanReply;
    /// Compares, then does one thing or another; all of it or nothing.
    write 705 TXN_PROCEDURE txn(TxnArgs) -> TxnReply;
    /// Every change of some keys from a revision on, also over a change of the leader.
    read_stream 706 WATCH_PROCEDURE watch(WatchArgs) -> StorageEvent;
    /// A new lease.
    write 707 GRANT_PROCEDURE grant(GrantArgs) -> Lease;
    /// Gives a lease its full time again.
    idempotent 708 KEEP_ALIVE_PROCEDURE keep_alive(KeepAliveArgs) -> Lease;
    /// Ends a lease; its keys vanish.
    write 709 REVOKE_PROCEDURE revoke(RevokeArgs) -> Written;
    /// Who leads, and how the store is.
    read 710 STATUS_PROCEDURE status(rpc::Empty) -> StatusReply;
}
