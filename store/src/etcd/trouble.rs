//! What etcd's errors mean to a caller.

use crate::{CommitError, LeaseError, LeaseId, Op, ReadError, Txn, WatchError};

/// An error of etcd, or none that came.
#[derive(Debug)]
pub(super) enum Trouble {
    Compacted,
    Future,
    NoLease,
    NoSpace,
    /// No answer, or one that only says to try again.
    Away(String),
}

impl Trouble {
    /// Etcd's errors are told apart by their texts, which are part of its interface: its own
    /// client does the same.
    pub(super) fn of(place: &str, error: etcd_client::Error) -> Self {
        use etcd_client::Error;
        let text = match &error {
            Error::GRpcStatus(status) => status.message().to_owned(),
            Error::LeaseKeepAliveError(_) => return Self::NoLease,
            other => other.to_string(),
        };
        let is = |what: &str| text.contains(what);
        if is("required revision has been compacted") {
            Self::Compacted
        } else if is("required revision is a future revision") {
            Self::Future
        } else if is("requested lease not found") {
            Self::NoLease
        } else if is("database space exceeded") {
            Self::NoSpace
        } else {
            Self::Away(format!("{place}: {error}"))
        }
    }

    fn text(self) -> String {
        match self {
            Self::Compacted => "it was compacted".to_owned(),
            Self::Future => "it lies in the future".to_owned(),
            Self::NoLease => "there is no such lease".to_owned(),
            Self::NoSpace => "etcd's quota is used up".to_owned(),
            Self::Away(why) => why,
        }
    }

    pub(super) fn unavailable(self) -> ReadError {
        ReadError::Unavailable { why: self.text() }
    }

    pub(super) fn of_watch(self) -> WatchError {
        WatchError::Unavailable { why: self.text() }
    }

    pub(super) fn of_commit(self, place: &str, txn: &Txn) -> CommitError {
        match self {
            Self::NoLease => {
                let leases = txn.then.iter().chain(&txn.otherwise);
                let lease = leases.filter_map(|op| match op {
                    Op::Put { lease, .. } => *lease,
                    _ => None,
                });
                // Etcd does not say which.
                CommitError::LeaseNotFound(lease.last().unwrap_or(LeaseId(0)))
            }
            Self::NoSpace => CommitError::NoSpace {
                place: place.to_owned(),
            },
            other => CommitError::Unknown { why: other.text() },
        }
    }

    pub(super) fn of_lease(self, place: &str, id: LeaseId) -> LeaseError {
        match self {
            Self::NoLease => LeaseError::NotFound(id),
            Self::NoSpace => LeaseError::NoSpace {
                place: place.to_owned(),
            },
            other => LeaseError::Unavailable { why: other.text() },
        }
    }
}
