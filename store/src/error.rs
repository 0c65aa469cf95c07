//! What can go wrong, one type per operation; each variant is something a caller can act on.

use std::sync::Arc;

use crate::limits::LimitError;
use crate::{LeaseId, Revision};

/// Why a store stopped for good. Every later call answers with it; only a new start helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the store stopped: {why}; end this process and start it again: what was acknowledged is on \
     disk, what was not may or may not be"
)]
pub struct Failure {
    /// What happened first.
    pub why: Arc<str>,
}

/// A read that gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// That far back nothing is kept.
    #[error("revision {wanted} was compacted (at {at}); read a newer one, or the present")]
    Compacted {
        /// What was asked for.
        wanted: Revision,
        /// The oldest revision that can be read.
        at: Revision,
    },
    /// That revision does not exist yet.
    #[error("revision {wanted} lies in the future; the newest is {newest}")]
    Future {
        /// What was asked for.
        wanted: Revision,
        /// The newest revision.
        newest: Revision,
    },
    /// The store stopped for good.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The store cannot be reached now (never from the embedded one); try again.
    #[error("the store cannot be reached: {why}; try again")]
    Unavailable {
        /// What was tried, and what came of it.
        why: String,
    },
}

/// Why state could not be read back from a store.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// The store did not answer.
    #[error("failed to read the state")]
    Read(#[from] ReadError),
    /// A value is not what it should be.
    #[error("the record {key} cannot be read; was it written by a newer version?")]
    Record {
        /// Which one.
        key: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl RecallError {
    /// The record of this key is not what it should be.
    pub fn record(key: &[u8], source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Record {
            key: String::from_utf8_lossy(key).into_owned(),
            source: source.into(),
        }
    }
}

/// A commit that was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Too large, or of a wrong shape. Nothing was written.
    #[error(transparent)]
    Refused(#[from] LimitError),
    /// A put names a lease that does not exist, or has ended. Nothing was written.
    #[error("lease {0} does not exist or has ended; grant a new one")]
    LeaseNotFound(LeaseId),
    /// The disk is full. Nothing was written; reads go on, and so do deletes as far as they can.
    #[error("no space left for the store in {place}; free some disk, then try again")]
    NoSpace {
        /// Which directory or cluster.
        place: String,
    },
    /// The store stopped for good. The commit may or may not have been made.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// No answer came (never from the embedded store). The commit may or may not have been made:
    /// try again only with a comparison that fails if it was.
    #[error("the store did not answer: {why}; read, then try again with a comparison")]
    Unknown {
        /// What was tried, and what came of it.
        why: String,
    },
}

/// A lease operation that was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// There is no such lease, or it has ended: its keys are gone, or are going.
    #[error("lease {0} does not exist or has ended; grant a new one")]
    NotFound(LeaseId),
    /// The time to live is out of bounds.
    #[error(transparent)]
    Refused(#[from] LimitError),
    /// The disk is full.
    #[error("no space left for the store in {place}; free some disk, then try again")]
    NoSpace {
        /// Which directory or cluster.
        place: String,
    },
    /// The store stopped for good.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The store cannot be reached now (never from the embedded one); try again.
    #[error("the store cannot be reached: {why}; try again")]
    Unavailable {
        /// What was tried, and what came of it.
        why: String,
    },
}

/// A watch that ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// What comes next was compacted away: read the range, then watch from there.
    #[error(
        "the changes from revision {wanted} on were compacted (at {at}); read the keys again, and \
         watch from the revision of that answer"
    )]
    Compacted {
        /// The next revision the watch would have told of.
        wanted: Revision,
        /// Changes up to here are no longer kept.
        at: Revision,
    },
    /// The store stopped for good.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The store cannot be reached now (never from the embedded one); watch again from where
    /// this watch is.
    #[error("the store cannot be reached: {why}; watch again from where this watch ended")]
    Unavailable {
        /// What was tried, and what came of it.
        why: String,
    },
}

/// A compaction that was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompactError {
    /// That revision does not exist yet.
    #[error("revision {wanted} lies in the future; the newest is {newest}")]
    Future {
        /// What was asked for.
        wanted: Revision,
        /// The newest revision.
        newest: Revision,
    },
    /// The disk is full.
    #[error("no space left for the store in {place}; free some disk, then try again")]
    NoSpace {
        /// Which directory or cluster.
        place: String,
    },
    /// The store stopped for good.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The store cannot be reached now (never from the embedded one); try again.
    #[error("the store cannot be reached: {why}; try again")]
    Unavailable {
        /// What was tried, and what came of it.
        why: String,
    },
}

/// A backup that was not made; nothing is left at its path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Something is there already.
    #[error("{path} exists; name a file that does not")]
    Exists {
        /// The path.
        path: String,
    },
    /// It could not be written, or did not hold what it should.
    #[error("failed to write the backup {path}: {why}")]
    Write {
        /// The path.
        path: String,
        /// What happened.
        why: String,
    },
    /// The store stopped for good.
    #[error(transparent)]
    Failed(#[from] Failure),
}
