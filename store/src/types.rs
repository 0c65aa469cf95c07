//! The nouns: revisions, keys with their values, ranges, events, leases.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

/// Which write made a thing what it is. Every commit that changes something takes the next one;
/// none is ever used twice, also not after a restart or a restore. Zero is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision after this one: where to watch from after reading at `self`.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a lease. Never zero, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub u64);

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A promise to keep the attached keys for `ttl` after the last keep-alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// How long it lasts without a keep-alive; at least what was asked for.
    pub ttl: Duration,
}

/// A key, its value, and which writes made it so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// The write that brought the key into being (again, if it had been deleted).
    pub created: Revision,
    /// The write that gave it this value.
    pub modified: Revision,
    /// How many writes it had since it was created; the first is 1.
    pub version: u64,
    /// The lease that takes the key with it.
    pub lease: Option<LeaseId>,
}

/// A set of keys that lie side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// All keys that begin with this; the empty prefix is every key.
    Prefix(Bytes),
    /// From `start` up to, and without, `end`.
    Span {
        /// The first key that belongs.
        start: Bytes,
        /// The first key that no longer belongs.
        end: Bytes,
    },
}

impl Keys {
    /// All keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        Self::Prefix(prefix.into())
    }

    /// Whether `key` belongs.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        match self {
            Self::Prefix(prefix) => key.starts_with(prefix),
            Self::Span { start, end } => start.as_ref() <= key && key < end.as_ref(),
        }
    }

    /// The first key that could belong.
    #[must_use]
    pub fn start(&self) -> &Bytes {
        match self {
            Self::Prefix(prefix) => prefix,
            Self::Span { start, .. } => start,
        }
    }
}

/// A question for many keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Which.
    pub keys: Keys,
    /// Keys below this are left out: where the page before this one ended.
    pub skip_to: Option<Bytes>,
    /// At most this many; zero is no limit.
    pub limit: usize,
    /// As it was then; as it is now when absent.
    pub at: Option<Revision>,
}

impl Range {
    /// All keys that begin with `prefix`, as they are now.
    #[must_use]
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        Self::of(Keys::prefix(prefix))
    }

    /// The keys from `start` up to, and without, `end`, as they are now.
    #[must_use]
    pub fn span(start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        Self::of(Keys::Span {
            start: start.into(),
            end: end.into(),
        })
    }

    fn of(keys: Keys) -> Self {
        Self {
            keys,
            skip_to: None,
            limit: 0,
            at: None,
        }
    }

    /// The same question, for at most `limit` keys.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The same question, about the past.
    #[must_use]
    pub fn at(mut self, revision: Revision) -> Self {
        self.at = Some(revision);
        self
    }

    /// The question for the page after `page`, at the same revision; `None` when that was the last.
    #[must_use]
    pub fn after(&self, page: &RangeAnswer) -> Option<Self> {
        let last = page.items.last().filter(|_| page.more)?;
        let mut key = Vec::with_capacity(last.key.len() + 1);
        key.extend_from_slice(&last.key);
        key.push(0);
        let mut next = self.clone().at(page.revision);
        next.skip_to = Some(key.into());
        Some(next)
    }
}

/// What a range holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeAnswer {
    /// The keys in order, with their values.
    pub items: Vec<KeyValue>,
    /// Whether the limit left some out; [`Range::after`] asks for them.
    pub more: bool,
    /// When it was so. A watch from [`Revision::next`] of it misses nothing.
    pub revision: Revision,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The key has this value now.
    Put(KeyValue),
    /// The key is gone.
    Delete {
        /// Which.
        key: Bytes,
    },
}

impl Event {
    /// The key that changed.
    #[must_use]
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Put(item) => &item.key,
            Self::Delete { key } => key,
        }
    }
}

/// All that one revision changed among the watched keys: never a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which write.
    pub revision: Revision,
    /// What it did, in the order it did it; each key at most once.
    pub events: Vec<Event>,
}

/// How long things took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half were at least as fast as this, in microseconds.
    pub p50_us: u64,
    /// All but one in a hundred were at least as fast as this, in microseconds.
    pub p99_us: u64,
    /// The slowest, in microseconds.
    pub max_us: u64,
}

/// How the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The newest revision.
    pub revision: Revision,
    /// Reads below this revision, and watches from it or below, are refused.
    pub compacted: Revision,
    /// How many keys there are now.
    pub keys: u64,
    /// How many leases there are now.
    pub leases: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// How many transactions changed something since the store was opened.
    pub commits: u64,
    /// The durable writes since the store was opened (write and fsync); one holds many commits.
    pub write_latency: Latency,
}
