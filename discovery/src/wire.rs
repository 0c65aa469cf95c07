//! What travels: plain data. Times are durations in milliseconds, never moments, because clocks
//! differ.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rpc::{Deserializable, Serializable};

/// What an instance's port speaks. Every port answers the built-in procedures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Procedures.
    #[default]
    Rpc,
    /// HTTP too, beyond probes.
    Http,
}

/// What an instance says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Registration {
    /// The service's name: letters, digits, `-`, `_`, `.`; 1 to 128 bytes.
    pub service: String,
    /// Which instance, as in `echo.2.7`; unique in its service; 1 to 192 bytes.
    pub instance: String,
    /// IP address and port where it listens, as in `127.0.0.1:10100`.
    pub address: String,
    /// Its version; at most 64 bytes.
    #[serde(default)]
    pub version: String,
    /// Where it stands; at most 64 bytes; empty if nothing is known.
    #[serde(default)]
    pub zone: String,
    /// Its share of the calls, relative to the others'; 0 keeps calls away.
    #[serde(default = "weight_default")]
    pub weight: u32,
    /// What its port speaks.
    #[serde(default)]
    pub protocol: Protocol,
    /// Its procedures, the built-in ones apart; at most 1,024.
    #[serde(default)]
    pub procedures: Vec<u32>,
    /// Whatever else is to be known; at most 32 labels, names to 64 and values to 256 bytes.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

fn weight_default() -> u32 {
    100
}

/// Which registration of which life of discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Lease {
    /// The life of discovery: a random number.
    pub incarnation: u64,
    /// The registration: grows with every registration of any instance, over restarts of
    /// discovery too as long as its machine's clock does not go back; good as a fencing token.
    pub epoch: u64,
}

/// One registered instance.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Instance {
    /// What it said.
    pub registration: Registration,
    /// The epoch of its lease.
    pub epoch: u64,
    /// The revision that brought it.
    pub revision: u64,
}

impl Instance {
    /// Where it listens. `None` cannot come from discovery, which has checked it.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.registration.address.parse().ok()
    }
}

/// Arguments of `register`.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RegisterArgs {
    /// Who, and where.
    pub registration: Registration,
    /// How long the lease is to last after a heartbeat, in milliseconds; 500 to 300,000 are
    /// granted.
    pub ttl_ms: u64,
}

/// What a registration learns.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum RegisterEvent {
    /// It is registered.
    Registered {
        /// The lease, to be named in heartbeats.
        lease: Lease,
        /// How long the lease lasts after a heartbeat, in milliseconds.
        ttl_ms: u64,
        /// The revision of the registration.
        revision: u64,
    },
}

/// Arguments of `heartbeat`.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct HeartbeatArgs {
    /// The service's name.
    pub service: String,
    /// The instance.
    pub instance: String,
    /// Its lease.
    pub lease: Lease,
}

/// A renewed lease.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct HeartbeatReply {
    /// How long it lasts from now, in milliseconds.
    pub expires_in_ms: u64,
}

/// Arguments of `deregister`.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DeregisterArgs {
    /// The service's name.
    pub service: String,
    /// The instance.
    pub instance: String,
    /// Its lease.
    pub lease: Lease,
}

/// How many instances are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All.
    #[default]
    All,
    /// One, drawn by weight. Those of weight 0 are not drawn.
    Random,
}

/// Arguments of `query`.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct QueryArgs {
    /// The service's name.
    pub service: String,
    /// How many instances.
    #[serde(default)]
    pub which: Which,
}

/// A moment in the history of one life of discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Position {
    /// The life: a random number.
    pub incarnation: u64,
    /// The last change that had happened.
    pub revision: u64,
}

/// Instances whose leases hold.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct QueryReply {
    /// The instances, by name; none is no error.
    pub instances: Vec<Instance>,
    /// When this was so.
    pub position: Position,
}

/// A service that has instances.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ServiceSummary {
    /// Its name.
    pub service: String,
    /// How many instances.
    pub instances: u32,
}

/// All services that have instances.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListReply {
    /// The services, by name.
    pub services: Vec<ServiceSummary>,
    /// When this was so.
    pub position: Position,
}

/// Arguments of `watch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct WatchArgs {
    /// Which service; empty for all.
    #[serde(default)]
    pub service: String,
    /// The position of the last event seen; only what came later is sent then, if it is still
    /// known. Otherwise, or without this, all that there is comes first.
    #[serde(default)]
    pub after: Option<Position>,
}

/// Why a watch sends all that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotReason {
    /// The watch named no position.
    Asked,
    /// The changes after the position have been forgotten: they are too many, or too long ago.
    Compacted,
    /// The position belongs to another life of discovery.
    OtherIncarnation,
}

/// Why an instance is no longer registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It took its leave.
    Deregistered,
    /// Its connection ended: most likely its process did.
    ConnectionLost,
    /// It gave no sign of life for as long as its TTL.
    Expired,
}

/// What a watch sends.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum WatchEvent {
    /// All that there is, or a part of it. The parts come one after the other; with the last one
    /// they replace whatever the reader knew of this incarnation.
    Snapshot {
        /// Why.
        reason: SnapshotReason,
        /// When this was so.
        position: Position,
        /// The instances, by service and name.
        instances: Vec<Instance>,
        /// Whether further parts follow.
        more: bool,
    },
    /// An instance registered, or registered anew with a higher epoch.
    Registered {
        /// When.
        position: Position,
        /// The instance.
        instance: Instance,
    },
    /// An instance is gone. It is sent once for each registration that ends without another one
    /// of the same instance taking its place.
    Removed {
        /// When.
        position: Position,
        /// The service's name.
        service: String,
        /// The instance.
        instance: String,
        /// The epoch of the lease that ended.
        epoch: u64,
        /// Why.
        cause: Cause,
    },
    /// Nothing happened here up to this position. Sent now and then, so that a reader who comes
    /// back need not start from the beginning.
    Progress {
        /// Up to when.
        position: Position,
    },
}

impl WatchEvent {
    /// Where a reader is after this event.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Snapshot { position, .. }
            | Self::Registered { position, .. }
            | Self::Removed { position, .. }
            | Self::Progress { position } => *position,
        }
    }
}

/// Which tokens there are, or what is new about them.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct TrustArgs {
    /// Names the life of the teller's process: numbers of different lives have nothing in common.
    pub life: String,
    /// What was told before this, as a number of the teller's.
    pub from: u64,
    /// What is told after this.
    pub to: u64,
    /// Forget what was told before: everything comes anew.
    pub begin: bool,
    /// Tokens as they are now.
    pub tokens: Vec<chassis::trust::KnownToken>,
}

/// Whether the tokens were taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct TrustReply {
    /// If not, something that came before is missing: begin anew.
    pub taken: bool,
}
