//! What travels.

use rpc::{Deserializable, Serializable};

use crate::Declaration;

/// What a write asks of the key before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// Nothing: the last who writes wins.
    #[default]
    Anything,
    /// That it has no value.
    Absent,
    /// That it is at this revision.
    Revision(u64),
}

/// Asks for one value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetArgs {
    /// As in `greeter/pause`.
    pub key: String,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetReply {
    /// What counts.
    pub value: String,
    /// The write that set it; 0 if nothing is set and this is the declared default.
    pub revision: u64,
}

/// Gives a key a value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SetArgs {
    /// As in `greeter/pause`.
    pub key: String,
    /// What it is from now on.
    pub value: String,
    /// What is asked of the key before.
    #[serde(default)]
    pub compare: Compare,
    /// Set it although the service, which has declared its keys, has not declared this one.
    #[serde(default)]
    pub undeclared: bool,
}

impl SetArgs {
    /// Sets a key, whatever it was before.
    #[must_use]
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            compare: Compare::Anything,
            undeclared: false,
        }
    }
}

/// A write that is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SetReply {
    /// Its revision: larger than that of every write before.
    pub revision: u64,
    /// Its number in the key's history, from 1.
    pub number: u64,
}

/// Takes a value away.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DeleteArgs {
    /// As in `greeter/pause`.
    pub key: String,
    /// What is asked of the key before.
    #[serde(default)]
    pub compare: Compare,
}

/// Asks for what is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListArgs {
    /// Keys that begin so; all if empty.
    #[serde(default)]
    pub prefix: String,
    /// At most so many; 0 is as many as there may be (1,000).
    #[serde(default)]
    pub limit: u32,
    /// Where the page before ended, as it said.
    #[serde(default)]
    pub cursor: String,
}

/// A key that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Item {
    /// As in `greeter/pause`.
    pub key: String,
    /// What it is.
    pub value: String,
    /// The write that set it.
    pub revision: u64,
    /// When that was, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Who set it.
    pub by: String,
}

/// A page of what is set.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListReply {
    /// In the order of their keys.
    pub items: Vec<Item>,
    /// For the next page; empty if this was the last.
    pub cursor: String,
    /// As of when, for every page alike.
    pub revision: u64,
}

/// Asks for changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct WatchArgs {
    /// Keys that begin so; all if empty.
    #[serde(default)]
    pub prefix: String,
    /// Only what comes after this revision, as the last event said; everything anew if absent.
    #[serde(default)]
    pub after: Option<u64>,
}

/// Why a watch begins with everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotReason {
    /// Nobody said where to begin.
    First,
    /// What came after that revision is no longer known one by one.
    Compacted,
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum ConfigurationEvent {
    /// All that is set, in one or more parts. What is not in it is not set.
    Snapshot {
        /// As of when.
        revision: u64,
        /// Why.
        reason: SnapshotReason,
        /// A part.
        items: Vec<Item>,
        /// Whether more parts follow.
        more: bool,
    },
    /// One write.
    Changed {
        /// Its revision.
        revision: u64,
        /// What it did.
        changes: Vec<ChangedKey>,
    },
    /// Nothing happened here up to this revision.
    Progress {
        /// Go on after this.
        revision: u64,
    },
}

/// One key that a write changed.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ChangedKey {
    /// As in `greeter/pause`.
    pub key: String,
    /// What it is now; absent if nothing is set any more.
    pub item: Option<Item>,
}

/// Asks what a key was.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct HistoryArgs {
    /// As in `greeter/pause`.
    pub key: String,
}

/// One write of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct HistoryEntry {
    /// Which write of this key it was, from 1.
    pub number: u64,
    /// Its revision.
    pub revision: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Who did it.
    pub by: String,
    /// What it set; absent if it took the value away.
    pub value: Option<String>,
    /// The write whose value it brought back, if it was a rollback.
    pub rollback_to: Option<u64>,
}

/// What a key was.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct HistoryReply {
    /// Newest first.
    pub entries: Vec<HistoryEntry>,
}

/// Brings an earlier value back.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RollbackArgs {
    /// As in `greeter/pause`.
    pub key: String,
    /// To the value of this write, as the history numbers it.
    pub to: u64,
    /// What is asked of the key before.
    #[serde(default)]
    pub compare: Compare,
}

/// A service says which keys it has.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct DeclareArgs {
    /// The service: what comes before the first `/` of its keys.
    pub service: String,
    /// All its keys.
    pub declarations: Vec<Declaration>,
}

/// Keys are declared.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DeclareReply {
    /// Keys that are set and that the service does not have (any more).
    pub leftover: Vec<String>,
}

/// Asks for declared keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct SchemaArgs {
    /// Of this service; of all if absent.
    #[serde(default)]
    pub service: Option<String>,
}

/// Declared keys.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct SchemaReply {
    /// By service.
    pub services: Vec<DeclareArgs>,
}
