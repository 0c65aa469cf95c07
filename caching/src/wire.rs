//! What travels.

use bytes::Bytes;
use rpc::{Deserializable, Serializable};

/// Asks for one value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetArgs {
    /// Which.
    pub key: String,
    /// Read it from storage if it is not here.
    #[serde(default)]
    pub through: bool,
    /// With `through`: a value that may be old is better than none, while storage is away.
    #[serde(default)]
    pub stale_ok: bool,
}

impl GetArgs {
    /// What is here.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            through: false,
            stale_ok: false,
        }
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetReply {
    /// Absent if it is not here.
    pub value: Option<Bytes>,
    /// For how long it may have been old, in milliseconds; absent if it is not.
    pub stale_ms: Option<u64>,
}

/// Keeps a value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SetArgs {
    /// Which.
    pub key: String,
    /// What; at most 1 MiB.
    pub value: Bytes,
    /// For how long, in milliseconds; as long as there is room if absent.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// Drops a value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DeleteArgs {
    /// Which.
    pub key: String,
}

/// A value is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DeleteReply {
    /// Whether there was one.
    pub existed: bool,
}

/// Asks for several values.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetManyArgs {
    /// At most 1,000.
    pub keys: Vec<String>,
}

/// Several values.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetManyReply {
    /// In the order of their keys. Those beyond 2 MiB are absent as if they were not here.
    pub values: Vec<Option<Bytes>>,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Item {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Bytes,
}

/// Keeps several values.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SetManyArgs {
    /// At most 1,000.
    pub items: Vec<Item>,
    /// For how long, in milliseconds; as long as there is room if absent.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// Drops everything that begins so.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct InvalidateArgs {
    /// Everything at all if empty.
    pub prefix: String,
}

/// It is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct InvalidateReply {
    /// How many there were.
    pub dropped: u64,
}

/// How a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct StatsReply {
    /// Values that are here, about.
    pub entries: u64,
    /// Bytes that they take, keys and overhead included, about.
    pub bytes: u64,
    /// Bytes that they may take.
    pub bytes_max: u64,
    /// Questions whose answer was here, since the start.
    pub hits: u64,
    /// Questions whose answer was not.
    pub misses: u64,
    /// Reads from storage.
    pub reads_through: u64,
    /// Values that went because there was no room.
    pub evicted: u64,
    /// Values that were dropped because storage has another one.
    pub invalidated: u64,
    /// Whether changes in storage are seen now; always so if nothing was ever read through.
    pub follows_storage: bool,
}
