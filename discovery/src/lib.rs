//! Who serves what, where, now.
//!
//! # The shape
//! A *registration* says where an instance of a service is; it lives as long as its *lease*. The
//! lease is a stream held open by whoever registered ([`REGISTER_PROCEDURE`]), so that the end of
//! the process ends it at once; and because a process that hangs keeps its connections, the lease
//! also has a TTL, which heartbeats renew. Every registration has a new *epoch*: what an earlier
//! one still sends is recognised and refused, and a lease that has ended never comes back.
//!
//! Every change has a *revision*. A watch begins with all that there is, and goes on with every
//! change after that, without a gap. A reader that comes back says where it was; when that is too
//! long ago, or in an earlier life of discovery, it gets everything again, and the reason why.
//!
//! Discovery keeps nothing on disk and needs no other service, ever. After a restart it has a new
//! *incarnation* and knows nobody, until, a moment later, everybody has registered again. Until
//! then its clients go on with what they knew: [`Resolver`] says how.
//!
//! # Two clients
//! [`Announcer`] keeps a service registered, and each `main` gives it to chassis. [`Resolver`]
//! turns a service's name into an [`rpc::Channel`]:
//!
//! ```no_run
//! # async fn example() -> Result<(), rpc::Error> {
//! let resolver = discovery::Resolver::new("127.0.0.1:10200".parse().unwrap());
//! let echo = resolver.channel("echo"); // for `EchoClient::new`
//! # Ok(())
//! # }
//! ```

mod announcer;
mod backoff;
mod resolver;
mod wire;

pub use announcer::Announcer;
pub use membership::Freshness;
pub use resolver::{Resolved, Resolver};
pub use wire::{
    Cause, DeregisterArgs, HeartbeatArgs, HeartbeatReply, Instance, Lease, ListReply, Position,
    Protocol, QueryArgs, QueryReply, RegisterArgs, RegisterEvent, Registration, ServiceSummary,
    SnapshotReason, TrustArgs, TrustReply, WatchArgs, WatchEvent, Which,
};

/// The name under which discovery lists itself.
pub const SYSTEM_NAME: &str = "discovery";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10200";

rpc::service! {
    /// Who serves what, where, now.
    trait Discovery, client DiscoveryClient, dispatch DiscoveryDispatch, name SYSTEM_NAME;
    /// Registers an instance for as long as this stream is held open and its lease is renewed.
    /// The first event says the lease. The stream ends with an error that says why the lease did:
    /// `lease-expired`, `lease-replaced` or `ending`.
    write_stream 201 REGISTER_PROCEDURE register(RegisterArgs) -> RegisterEvent;
    /// Renews a lease. Refused with `lease-expired`, `lease-replaced` or `other-incarnation` when
    /// it has ended: then register again.
    idempotent 202 HEARTBEAT_PROCEDURE heartbeat(HeartbeatArgs) -> HeartbeatReply;
    /// Ends a lease. To end one that has ended is no error.
    idempotent 203 DEREGISTER_PROCEDURE deregister(DeregisterArgs) -> rpc::Empty;
    /// Instances of one service.
    read 204 QUERY_PROCEDURE query(QueryArgs) -> QueryReply;
    /// The services that have instances.
    read 205 LIST_PROCEDURE list(rpc::Empty) -> ListReply;
    /// All instances, of one service or of the fleet, and every change from then on.
    read_stream 206 WATCH_PROCEDURE watch(WatchArgs) -> WatchEvent;
    /// Says which tokens there are: security tells it, because discovery asks nobody.
    idempotent 207 TRUST_PROCEDURE trust(TrustArgs) -> TrustReply;
}
