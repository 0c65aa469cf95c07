//! A group of requests once it is worked out: what to write, and whom to answer then.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::queue::{Answer, Refusal};
use crate::{Change, CommitError, Committed, Lease, LeaseError, LeaseId, Revision};

/// An answer that waits for its group to be durable.
pub(super) enum Reply {
    Commit(
        Answer<Committed, CommitError>,
        Result<Committed, CommitError>,
    ),
    Grant(Answer<Lease, LeaseError>, Duration),
    Revoke(Answer<Revision, LeaseError>, Result<Revision, LeaseError>),
}

/// A group, worked out.
#[derive(Default)]
pub(super) struct Work {
    pub(super) changes: Vec<Arc<Change>>,
    pub(super) ended: Vec<(LeaseId, Duration)>,
    pub(super) replies: Vec<Reply>,
    pub(super) granted: Vec<LeaseId>,
    pub(super) compact_to: Option<Revision>,
    /// Given back when the work is over.
    pub(super) room: Vec<OwnedSemaphorePermit>,
}

impl Work {
    /// Whether it can be answered without the disk.
    pub(super) fn writes_nothing(&self) -> bool {
        let grants = |reply: &Reply| matches!(reply, Reply::Grant(..));
        self.changes.is_empty()
            && self.ended.is_empty()
            && self.compact_to.is_none()
            && !self.replies.iter().any(grants)
    }

    /// Says what came of it. A caller that went away needs no answer.
    pub(super) fn answer(self) {
        let mut granted = self.granted.into_iter();
        for reply in self.replies {
            match reply {
                Reply::Commit(to, done) => drop(to.send(done)),
                Reply::Revoke(to, done) => drop(to.send(done)),
                Reply::Grant(to, ttl) => {
                    if let Some(id) = granted.next() {
                        drop(to.send(Ok(Lease { id, ttl })));
                    }
                }
            }
        }
    }

    /// Says that it is not done; what was refused for another reason keeps that.
    pub(super) fn refuse(self, refusal: &Refusal) {
        for reply in self.replies {
            let refusal = refusal.clone();
            match reply {
                Reply::Commit(to, done) => drop(to.send(done.and_then(|_| Err(refusal.into())))),
                Reply::Revoke(to, done) => drop(to.send(done.and_then(|_| Err(refusal.into())))),
                Reply::Grant(to, _) => drop(to.send(Err(refusal.into()))),
            }
        }
    }
}

/// Leases are kept in whole milliseconds, rounded up: none ends early.
pub(super) fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
