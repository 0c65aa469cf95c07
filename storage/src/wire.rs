//! What travels.

use bytes::Bytes;
use rpc::{Deserializable, Serializable};

/// Asks for one key.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetArgs {
    /// Which.
    pub key: String,
}

impl GetArgs {
    /// This key.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into() }
    }
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Item {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Bytes,
    /// The write that created it.
    pub created: u64,
    /// The write that gave it this value.
    pub modified: u64,
    /// How many writes it had since it was created.
    pub version: u64,
    /// The lease that takes it away.
    pub lease: Option<u64>,
}

/// One key as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetReply {
    /// Absent if there is no such key.
    pub item: Option<Item>,
}

/// Gives a key a value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct PutArgs {
    /// Which.
    pub key: String,
    /// What it is from now on; at most 1 MiB.
    pub value: Bytes,
    /// A lease that takes it away when it ends.
    #[serde(default)]
    pub lease: Option<u64>,
}

impl PutArgs {
    /// This value for this key, until somebody changes it.
    #[must_use]
    pub fn new(key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            lease: None,
        }
    }
}

/// A write that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Written {
    /// Its revision; the newest one if nothing had to be written.
    pub revision: u64,
}

/// Takes a key away.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DeleteArgs {
    /// Which.
    pub key: String,
}

/// Some keys.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// All that begin so; every key if empty.
    Prefix(String),
    /// From `start` up to, and without, `end`.
    Span {
        /// The first that belongs.
        start: String,
        /// The first that no longer belongs.
        end: String,
    },
}

/// Asks for keys in order.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ScanArgs {
    /// Which.
    pub keys: Keys,
    /// At most so many, and at most 2 MiB of keys and values; 0 is 1,000, which is the most.
    #[serde(default)]
    pub limit: u32,
    /// Where the page before ended, as it said.
    #[serde(default)]
    pub cursor: String,
    /// As it was then; as it is now when absent.
    #[serde(default)]
    pub revision: Option<u64>,
}

/// A page of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ScanReply {
    /// In order.
    pub items: Vec<Item>,
    /// For the next page; empty if this was the last.
    pub cursor: String,
    /// As of when: the same for all pages.
    pub revision: u64,
}

/// How what is found has to lie to what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Is {
    /// It is the same.
    Equal,
    /// It is another.
    NotEqual,
    /// It is greater.
    Greater,
    /// It is less.
    Less,
}

/// What of a key is compared. A key that does not exist has the numbers 0, and no value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Its value.
    Value(Vec<u8>),
    /// The write that gave it its value.
    Modified(u64),
    /// The write that created it.
    Created(u64),
    /// How many writes it had since.
    Version(u64),
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Comparison {
    /// Of this key
    pub key: String,
    /// the found has to be so
    pub is: Is,
    /// to this.
    pub field: Field,
}

impl Comparison {
    /// The key does not exist.
    #[must_use]
    pub fn absent(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            is: Is::Equal,
            field: Field::Version(0),
        }
    }

    /// Nobody wrote the key since this revision.
    #[must_use]
    pub fn unchanged(key: impl Into<String>, revision: u64) -> Self {
        Self {
            key: key.into(),
            is: Is::Equal,
            field: Field::Modified(revision),
        }
    }
}

/// One thing a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Gives a key a value.
    Put(PutArgs),
    /// Takes a key away.
    Delete(DeleteArgs),
    /// Reads a key.
    Get(GetArgs),
}

/// Compares, then does one thing or another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct TxnArgs {
    /// What must be so.
    #[serde(default)]
    pub compare: Vec<Comparison>,
    /// What to do when it is.
    #[serde(default)]
    pub then: Vec<Operation>,
    /// What to do when it is not.
    #[serde(default)]
    pub otherwise: Vec<Operation>,
}

/// What came of one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was written.
    Put,
    /// It is gone; whether there was one.
    Delete(bool),
    /// What was read.
    Get(Option<Item>),
}

/// What came of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct TxnReply {
    /// Whether every comparison held.
    pub succeeded: bool,
    /// Of all its writes; the newest one if it wrote nothing.
    pub revision: u64,
    /// One for each operation that was done.
    pub outcomes: Vec<Outcome>,
}

/// Asks for changes.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct WatchArgs {
    /// Of which keys.
    pub keys: Keys,
    /// The first revision that counts; only what is yet to come if absent.
    #[serde(default)]
    pub from: Option<u64>,
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum StorageEvent {
    /// Everything up to this revision is told: at the start, and whenever nothing was told for
    /// [`PROGRESS_EVERY`](crate::PROGRESS_EVERY), also when it is the same as before.
    Progress {
        /// Go on from the next one.
        revision: u64,
    },
    /// One write, with all it did to the watched keys.
    Changed {
        /// Its revision.
        revision: u64,
        /// Keys that have a value now.
        put: Vec<Item>,
        /// Keys that are gone.
        deleted: Vec<String>,
    },
}

/// Asks for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GrantArgs {
    /// How long it lasts without a sign of life, in milliseconds.
    pub ttl_ms: u64,
}

/// A lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Lease {
    /// Its number.
    pub id: u64,
    /// How long it lasts from now, in milliseconds. After a change of the leader it has its full
    /// time again.
    pub ttl_ms: u64,
}

/// A sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct KeepAliveArgs {
    /// The lease.
    pub id: u64,
}

/// Ends a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RevokeArgs {
    /// The lease.
    pub id: u64,
}

/// What a replica does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It has the store.
    Leader,
    /// It forwards.
    Follower,
}

/// How storage is.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct StatusReply {
    /// What the replica that was asked does.
    pub role: Role,
    /// Where the leader is.
    pub leader: String,
    /// How often somebody began to lead.
    pub generation: u64,
    /// The newest revision.
    pub revision: u64,
    /// Up to where the past is forgotten.
    pub compacted: u64,
    /// Keys that exist.
    pub keys: u64,
    /// Leases that live.
    pub leases: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Commits since the leader began to lead.
    pub commits: u64,
    /// 99 of 100 commits took no longer than this, in microseconds.
    pub commit_p99_us: u64,
}
