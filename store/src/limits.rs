//! How large things may be. The numbers are the smaller of what etcd takes by default and what
//! keeps one write short, so that what works on one backend works on the other.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::{Op, Txn};

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 4 * 1024;
/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// The most comparisons, and the most operations of each branch, in one transaction.
pub const TXN_OPS_MAX: usize = 128;
/// The most bytes of keys and values in one transaction: etcd takes requests of 1.5 MiB, and its
/// encoding needs some of that.
pub const TXN_BYTES_MAX: usize = 1536 * 1024 - 32 * 1024;
/// The longest time to live of a lease.
pub const LEASE_TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that is refused because of its size or shape; trying again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// A key is empty.
    #[error("a key is empty; give it at least one byte")]
    KeyEmpty,
    /// A key is too long.
    #[error("a key has {bytes} bytes, the limit is {KEY_BYTES_MAX}")]
    KeyTooLong {
        /// What was given.
        bytes: usize,
    },
    /// A value is too long.
    #[error(
        "the value of key {key:?} has {bytes} bytes, the limit is {VALUE_BYTES_MAX}; \
         split it over several keys"
    )]
    ValueTooLong {
        /// Whose value.
        key: String,
        /// What was given.
        bytes: usize,
    },
    /// Too many comparisons or operations.
    #[error("a transaction has {count} {what}, the limit is {TXN_OPS_MAX}; split it")]
    TooManyOps {
        /// Which list.
        what: &'static str,
        /// What was given.
        count: usize,
    },
    /// The keys and values together are too long.
    #[error("a transaction has {bytes} bytes, the limit is {TXN_BYTES_MAX}; split it")]
    TxnTooLong {
        /// What was given.
        bytes: usize,
    },
    /// One branch writes one key twice.
    #[error("a transaction writes key {key:?} twice; one revision has one value for a key")]
    KeyTwice {
        /// Which key.
        key: String,
    },
    /// A lease of no time, or of too much.
    #[error("a lease of {ttl:?} is outside of 1 ms to {LEASE_TTL_MAX:?}")]
    LeaseTtl {
        /// What was given.
        ttl: Duration,
    },
}

/// A key as people can read it, cut when long: for messages only.
pub(crate) fn shown(key: &[u8]) -> String {
    let cut = &key[..key.len().min(80)];
    String::from_utf8_lossy(cut).into_owned()
}

pub(crate) fn check_key(key: &[u8]) -> Result<(), LimitError> {
    match key.len() {
        0 => Err(LimitError::KeyEmpty),
        bytes if bytes > KEY_BYTES_MAX => Err(LimitError::KeyTooLong { bytes }),
        _ => Ok(()),
    }
}

pub(crate) fn check_ttl(ttl: Duration) -> Result<(), LimitError> {
    if ttl < Duration::from_millis(1) || ttl > LEASE_TTL_MAX {
        return Err(LimitError::LeaseTtl { ttl });
    }
    Ok(())
}

pub(crate) fn check_txn(txn: &Txn) -> Result<(), LimitError> {
    let mut bytes = 0;
    check_count("comparisons", txn.compare.len())?;
    for compare in &txn.compare {
        check_key(&compare.key)?;
        bytes += compare.key.len();
        if let crate::Field::Value(value) = &compare.field {
            bytes += value.len();
        }
    }
    for branch in [&txn.then, &txn.otherwise] {
        check_count("operations in one branch", branch.len())?;
        bytes += check_branch(branch)?;
    }
    if bytes > TXN_BYTES_MAX {
        return Err(LimitError::TxnTooLong { bytes });
    }
    Ok(())
}

fn check_count(what: &'static str, count: usize) -> Result<(), LimitError> {
    if count > TXN_OPS_MAX {
        return Err(LimitError::TooManyOps { what, count });
    }
    Ok(())
}

/// Checks the operations of one branch; returns how many bytes they have.
fn check_branch(ops: &[Op]) -> Result<usize, LimitError> {
    let mut bytes = 0;
    let mut written = BTreeSet::new();
    for op in ops {
        check_key(op.key())?;
        bytes += op.key().len();
        if let Op::Put { key, value, .. } = op {
            if value.len() > VALUE_BYTES_MAX {
                return Err(LimitError::ValueTooLong {
                    key: shown(key),
                    bytes: value.len(),
                });
            }
            bytes += value.len();
        }
        let writes = !matches!(op, Op::Get { .. });
        if writes && ops.len() > 1 && !written.insert(op.key()) {
            return Err(LimitError::KeyTwice {
                key: shown(op.key()),
            });
        }
    }
    Ok(bytes)
}
