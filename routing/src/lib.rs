//! Which instance gets a call.
//!
//! # The shape
//! [`Router`] decides in the caller's own process: two instances are drawn, and the one whose calls
//! take less time and wait less gets the call; neighbours are preferred; who answers errors is left
//! out for a while; a call that may be repeated goes elsewhere when it fails, within a budget; and
//! when nearly everything fails, calls are refused at once. How it decides: `decisions/balancing`.
//!
//! Who cannot link this crate calls [`ROUTE_PROCEDURE`], and this service does it in its place: the
//! payload travels as it is, with the caller's token and deadline, and the answer comes back as it
//! came. Errors of the service that is called come back unchanged.
//!
//! *Splits* say which share of a service's calls each version gets, in thousandths. They are kept
//! here, durably; every [`Router`] that follows them goes on with what it knew while this service
//! is away.
//!
//! ```no_run
//! # async fn example() -> Result<(), rpc::Error> {
//! use routing::{Call, Router};
//!
//! let resolver = discovery::Resolver::new("127.0.0.1:10200".parse().unwrap());
//! let router = Router::new(resolver, "");
//! let hello = bytes::Bytes::from_static(br#"{"message":"hi"}"#);
//! let call = Call::new(101, hello).json().idempotent();
//! let routed = router.call("echo", &call).await?;
//! println!("{} says {:?}", routed.instance, routed.payload);
//! # Ok(())
//! # }
//! ```

pub mod reason;
mod router;
mod wire;

pub use router::{Call, Routed, Router};
pub use wire::{
    ClearSplitArgs, EndpointStats, RouteArgs, RouteReply, ServiceStats, SetSplitArgs, Split,
    SplitsReply, StatsArgs, StatsReply, Weight,
};

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "routing";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10300";

rpc::service! {
    /// Which instance gets a call.
    trait Routing, client RoutingClient, dispatch RoutingDispatch, name SYSTEM_NAME;
    /// Makes a call in somebody's place.
    write 901 ROUTE_PROCEDURE route(RouteArgs) -> RouteReply;
    /// Says which share of a service's calls each version gets.
    idempotent 902 SET_SPLIT_PROCEDURE set_split(SetSplitArgs) -> Split;
    /// All splits.
    read 903 SPLITS_PROCEDURE splits(rpc::Empty) -> SplitsReply;
    /// Who got how many calls here, and how they went.
    read 904 STATS_PROCEDURE stats(StatsArgs) -> StatsReply;
    /// Every version gets its calls as they come. No error if there was no split.
    idempotent 905 CLEAR_SPLIT_PROCEDURE clear_split(ClearSplitArgs) -> rpc::Empty;
    /// All splits, at once and after every change.
    read_stream 906 WATCH_SPLITS_PROCEDURE watch_splits(rpc::Empty) -> SplitsReply;
}
