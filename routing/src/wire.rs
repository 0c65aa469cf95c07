//! What travels.

use bytes::Bytes;
use rpc::{Deserializable, Serializable};

/// Makes a call in somebody's place.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RouteArgs {
    /// To which service.
    pub service: String,
    /// Which procedure.
    pub procedure: u32,
    /// Its arguments, as they would be sent to the service itself.
    pub payload: Bytes,
    /// Whether they are JSON; bincode otherwise.
    #[serde(default)]
    pub json: bool,
    /// Whether the call may be made twice: then it goes elsewhere when an instance is lost.
    #[serde(default)]
    pub idempotent: bool,
    /// Send a second call beside one that takes longer than most, and take the first answer. Only
    /// for calls that may be made twice.
    #[serde(default)]
    pub hedge: bool,
    /// Calls with the same key get the same version.
    #[serde(default)]
    pub key: String,
}

/// The answer to a call that was made in somebody's place.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RouteReply {
    /// The result, as the service wrote it.
    pub payload: Bytes,
    /// Which instance answered.
    pub instance: String,
    /// How often the call was made.
    pub tries: u32,
}

/// The share of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Weight {
    /// Which version.
    pub version: String,
    /// Its share, in thousandths.
    pub permille: u32,
}

/// Says which share of a service's calls each version gets.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SetSplitArgs {
    /// Of which service.
    pub service: String,
    /// At most a thousand in all; what is missing goes to every version as it comes.
    pub weights: Vec<Weight>,
    /// For how long, in milliseconds; until it is changed if absent.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// Which share of a service's calls each version gets.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Split {
    /// Of which service.
    pub service: String,
    /// By version.
    pub weights: Vec<Weight>,
    /// Until when, in milliseconds since the Unix epoch.
    pub until_ms: Option<u64>,
    /// Who said so.
    pub by: String,
}

/// All splits.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SplitsReply {
    /// By service.
    pub splits: Vec<Split>,
}

/// Removes a split.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ClearSplitArgs {
    /// Of which service.
    pub service: String,
}

/// Asks who got how many calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct StatsArgs {
    /// Only of this service.
    #[serde(default)]
    pub service: Option<String>,
}

/// How calls to one instance went.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct EndpointStats {
    /// Which.
    pub instance: String,
    /// Its version.
    pub version: String,
    /// Where it stands.
    pub zone: String,
    /// Calls in flight.
    pub outstanding: u32,
    /// How long its calls take: a mean that forgets, in microseconds.
    pub latency_us: f64,
    /// How many calls it got.
    pub picks: u64,
    /// How many it could not answer.
    pub failures: u64,
    /// For how much longer it gets none, in milliseconds; absent if it gets some.
    pub out_for_ms: Option<u64>,
}

/// How calls to one service went.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct ServiceStats {
    /// Which.
    pub service: String,
    /// `closed`, `open` or `half-open`.
    pub breaker: String,
    /// How many calls were made for somebody.
    pub calls: u64,
    /// How many of them were made again.
    pub retries: u64,
    /// How many second calls were sent beside slow ones.
    pub hedges: u64,
    /// How many were refused because nearly all failed.
    pub refused: u64,
    /// By instance.
    pub endpoints: Vec<EndpointStats>,
}

/// How calls went.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct StatsReply {
    /// By service.
    pub services: Vec<ServiceStats>,
}
