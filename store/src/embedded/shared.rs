//! What the handles, the watches and the writer have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, watch};

use super::files::Files;
use super::index::Index;
use super::leases::Leases;
use super::queue::Queue;
use crate::latency::Latencies;
use crate::{Failure, Latency, Revision};

/// Why nothing is answered any more.
#[derive(Clone, Debug)]
pub(super) struct Stopped {
    pub(super) failure: Failure,
    /// Asked for, by closing the store: nothing failed.
    pub(super) closed: bool,
}

pub(super) struct Shared {
    pub(super) files: Files,
    pub(super) index: RwLock<Index>,
    pub(super) leases: Mutex<Leases>,
    pub(super) queue: Queue,
    /// Room in the queue: 1 for each request and for each KiB of it.
    pub(super) room: Arc<Semaphore>,
    /// The newest durable revision; wakes the watches.
    pub(super) head: watch::Sender<Revision>,
    pub(super) stopped: watch::Sender<Option<Stopped>>,
    pub(super) commits: AtomicU64,
    pub(super) latency: Latencies,
}

/// How many KiB of requests may wait.
const ROOM: usize = 16 * 1024;

impl Shared {
    pub(super) fn new(files: Files, index: Index, leases: Leases) -> Self {
        let head = index.head();
        Self {
            files,
            index: RwLock::new(index),
            leases: Mutex::new(leases),
            queue: Queue::default(),
            room: Arc::new(Semaphore::new(ROOM)),
            head: watch::Sender::new(head),
            stopped: watch::Sender::new(None),
            commits: AtomicU64::new(0),
            latency: Latencies::default(),
        }
    }

    /// The directory, as text for people.
    pub(super) fn place(&self) -> String {
        self.files.directory.display().to_string()
    }

    /// An error when nothing is answered any more.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.stopped.borrow().as_ref() {
            None => Ok(()),
            Some(stopped) => Err(stopped.failure.clone()),
        }
    }

    /// From now on every call gets this answer; the first reason stays.
    pub(super) fn stop(&self, why: &str, closed: bool) {
        let failure = Failure { why: why.into() };
        self.stopped.send_if_modified(|stopped| {
            let first = stopped.is_none();
            if first {
                *stopped = Some(Stopped { failure, closed });
            }
            first
        });
        self.queue.close();
        // Wakes the watches, which then see that it is over.
        self.head.send_modify(|_| {});
    }

    pub(super) fn count_write(&self, commits: u64, took: Duration) {
        self.commits.fetch_add(commits, Ordering::Relaxed);
        self.latency.record(took);
    }

    pub(super) fn write_latency(&self) -> Latency {
        self.latency.seen()
    }
}
