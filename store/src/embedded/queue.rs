//! What waits for the writer. Callers push, the writer takes all there is in one go: that is
//! what makes many commits share one fsync.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    CommitError, Committed, CompactError, Failure, Lease, LeaseError, LeaseId, Revision, Txn,
};

/// Where an answer goes.
pub(super) type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// What the writer is asked for.
pub(super) enum Ask {
    Commit(Txn, Answer<Committed, CommitError>),
    Grant(Duration, Answer<Lease, LeaseError>),
    Revoke(LeaseId, Answer<Revision, LeaseError>),
    Compact(Revision, Answer<Revision, CompactError>),
}

/// An [`Ask`] with the room it takes in the queue.
pub(super) struct Request {
    pub(super) ask: Ask,
    pub(super) room: OwnedSemaphorePermit,
}

/// Why an [`Ask`] is not done, whatever it was.
#[derive(Clone)]
pub(super) enum Refusal {
    NoSpace { place: String },
    Failed(Failure),
}

macro_rules! refusal_into {
    ($($error:ident),*) => {$(
        impl From<Refusal> for $error {
            fn from(refusal: Refusal) -> Self {
                match refusal {
                    Refusal::NoSpace { place } => Self::NoSpace { place },
                    Refusal::Failed(failure) => Self::Failed(failure),
                }
            }
        }
    )*};
}
refusal_into!(CommitError, LeaseError, CompactError);

impl Ask {
    /// Answers that it is not done.
    pub(super) fn refuse(self, refusal: Refusal) {
        // A caller that went away needs no answer.
        match self {
            Self::Commit(_, to) => drop(to.send(Err(refusal.into()))),
            Self::Grant(_, to) => drop(to.send(Err(refusal.into()))),
            Self::Revoke(_, to) => drop(to.send(Err(refusal.into()))),
            Self::Compact(_, to) => drop(to.send(Err(refusal.into()))),
        }
    }
}

/// How many requests share one fsync at most: bounds how long the first one waits.
const GROUP_MAX: usize = 1024;
/// How much room they take at most, in the semaphore's units.
const GROUP_ROOM_MAX: usize = 2 * 1024;

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    closed: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    pushed: Condvar,
}

impl Queue {
    /// Puts a request in line; gives it back when the queue is closed.
    pub(super) fn push(&self, request: Request) -> Result<(), Request> {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(request);
        }
        waiting.requests.push_back(request);
        // The writer sleeps only on an empty queue.
        if waiting.requests.len() == 1 {
            self.pushed.notify_one();
        }
        Ok(())
    }

    /// No more requests; the writer still does those in line.
    pub(super) fn close(&self) {
        self.waiting.lock().closed = true;
        self.pushed.notify_one();
    }

    /// Waits for requests, for the end of the queue, or until `until`; takes what there is, up to
    /// the limits. `None`: closed, and empty.
    pub(super) fn take(&self, until: Option<Instant>) -> Option<Vec<Request>> {
        let mut waiting = self.waiting.lock();
        while waiting.requests.is_empty() && !waiting.closed {
            match until {
                None => self.pushed.wait(&mut waiting),
                Some(until) => {
                    if self.pushed.wait_until(&mut waiting, until).timed_out() {
                        break;
                    }
                }
            }
        }
        if waiting.requests.is_empty() && waiting.closed {
            return None;
        }
        let mut room = 0;
        let fits = |request: &Request| {
            room += request.room.num_permits();
            room <= GROUP_ROOM_MAX
        };
        let most = waiting.requests.iter().take(GROUP_MAX);
        let count = most.map(fits).take_while(|fits| *fits).count();
        let available = usize::from(!waiting.requests.is_empty());
        Some(waiting.requests.drain(..count.max(available)).collect())
    }
}
