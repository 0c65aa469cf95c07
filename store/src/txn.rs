//! Transactions: compare, then write; all of it or nothing, in one revision.

use bytes::Bytes;

use crate::limits::{self, LimitError};
use crate::{KeyValue, LeaseId, Revision};

/// If every comparison holds do `then`, else do `otherwise`; either way in one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// What must be so.
    pub compare: Vec<Compare>,
    /// What to do when it is.
    pub then: Vec<Op>,
    /// What to do when it is not.
    pub otherwise: Vec<Op>,
}

impl Txn {
    /// A transaction without conditions.
    #[must_use]
    pub fn of(then: Vec<Op>) -> Self {
        Self {
            then,
            ..Self::default()
        }
    }

    /// The same transaction, on one more condition.
    #[must_use]
    pub fn when(mut self, compare: Compare) -> Self {
        self.compare.push(compare);
        self
    }

    /// The same transaction, with something to do when a condition does not hold.
    #[must_use]
    pub fn or_else(mut self, op: Op) -> Self {
        self.otherwise.push(op);
        self
    }

    /// Checks sizes and counts, and that no branch writes a key twice.
    ///
    /// # Errors
    /// [`LimitError`] names the limit and what was given.
    pub fn check(&self) -> Result<(), LimitError> {
        limits::check_txn(self)
    }
}

/// How a found value has to lie to the wanted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Is {
    /// Whether `found` lies so to `wanted`.
    #[must_use]
    pub fn holds<T: Ord + ?Sized>(self, found: &T, wanted: &T) -> bool {
        match self {
            Self::Equal => found == wanted,
            Self::NotEqual => found != wanted,
            Self::Greater => found > wanted,
            Self::Less => found < wanted,
        }
    }
}

/// What of a key is looked at. A key that does not exist has revisions and version 0, and no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// Its value; never holds when the key does not exist.
    Value(Bytes),
    /// The write that gave it its value.
    Modified(Revision),
    /// The write that created it.
    Created(Revision),
    /// How many writes it had since then.
    Version(u64),
}

/// One condition on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// The key.
    pub key: Bytes,
    /// How what is found has to lie to what is wanted.
    pub is: Is,
    /// What is looked at, with what is wanted.
    pub field: Field,
}

impl Compare {
    fn new(key: impl Into<Bytes>, is: Is, field: Field) -> Self {
        Self {
            key: key.into(),
            is,
            field,
        }
    }

    /// The key exists.
    #[must_use]
    pub fn exists(key: impl Into<Bytes>) -> Self {
        Self::new(key, Is::Greater, Field::Version(0))
    }

    /// The key does not exist.
    #[must_use]
    pub fn absent(key: impl Into<Bytes>) -> Self {
        Self::new(key, Is::Equal, Field::Version(0))
    }

    /// Nobody wrote the key since `revision` (as read in [`KeyValue::modified`]).
    #[must_use]
    pub fn unchanged(key: impl Into<Bytes>, revision: Revision) -> Self {
        Self::new(key, Is::Equal, Field::Modified(revision))
    }

    /// The key is the one created at `revision`: the fencing token of a lock.
    #[must_use]
    pub fn created_at(key: impl Into<Bytes>, revision: Revision) -> Self {
        Self::new(key, Is::Equal, Field::Created(revision))
    }

    /// The key has this value.
    #[must_use]
    pub fn value(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self::new(key, Is::Equal, Field::Value(value.into()))
    }

    /// Whether it holds for what is found at its key.
    #[must_use]
    pub fn holds(&self, found: Option<&KeyValue>) -> bool {
        let is = self.is;
        match &self.field {
            Field::Value(wanted) => found.is_some_and(|kv| is.holds(&kv.value, wanted)),
            Field::Modified(wanted) => {
                is.holds(&found.map_or(Revision(0), |kv| kv.modified), wanted)
            }
            Field::Created(wanted) => is.holds(&found.map_or(Revision(0), |kv| kv.created), wanted),
            Field::Version(wanted) => is.holds(&found.map_or(0, |kv| kv.version), wanted),
        }
    }
}

/// One thing a transaction does. A branch does its operations in order, and writes a key at most
/// once (as etcd has it: one key has one event in one revision).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Gives the key a value.
    Put {
        /// The key.
        key: Bytes,
        /// The value.
        value: Bytes,
        /// The lease that takes the key with it when it ends; without, the key stays.
        lease: Option<LeaseId>,
    },
    /// Takes the key away; nothing happens when it does not exist.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Reads the key.
    Get {
        /// The key.
        key: Bytes,
    },
}

impl Op {
    /// Gives `key` a value.
    #[must_use]
    pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self::Put {
            key: key.into(),
            value: value.into(),
            lease: None,
        }
    }

    /// Gives `key` a value that vanishes with `lease`.
    #[must_use]
    pub fn put_leased(key: impl Into<Bytes>, value: impl Into<Bytes>, lease: LeaseId) -> Self {
        Self::Put {
            key: key.into(),
            value: value.into(),
            lease: Some(lease),
        }
    }

    /// Takes `key` away.
    #[must_use]
    pub fn delete(key: impl Into<Bytes>) -> Self {
        Self::Delete { key: key.into() }
    }

    /// Reads `key`.
    #[must_use]
    pub fn get(key: impl Into<Bytes>) -> Self {
        Self::Get { key: key.into() }
    }

    /// The key it is about.
    #[must_use]
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Put { key, .. } | Self::Delete { key } | Self::Get { key } => key,
        }
    }
}

/// What an [`Op`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpResult {
    /// It was put.
    Put,
    /// It is gone.
    Delete {
        /// Whether it had been there.
        existed: bool,
    },
    /// This was found.
    Get(Option<KeyValue>),
}

/// A transaction that is done, and durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Whether the comparisons held, so that `then` was done.
    pub succeeded: bool,
    /// The newest revision at that moment; the transaction's own if it changed anything.
    pub revision: Revision,
    /// One result for each operation of the branch that was done, in order.
    pub results: Vec<OpResult>,
}
