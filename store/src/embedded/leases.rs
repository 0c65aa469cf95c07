//! The leases: until when each lives, and which keys go with it. In memory, so that a keep-alive
//! never waits for the disk; which leases exist is durable, how long they still have is not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::LeaseId;

/// How many leases may end in one group of commits.
const DUE_MAX: usize = 256;
/// When a lease that ran out could not be ended, for lack of space, it is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

struct Held {
    ttl: Duration,
    deadline: Instant,
    keys: BTreeSet<Bytes>,
    /// Its end is being written: too late for a keep-alive.
    ending: bool,
}

#[derive(Default)]
pub(super) struct Leases {
    held: BTreeMap<LeaseId, Held>,
    /// No lease ends before this.
    soonest: Option<Instant>,
}

impl Leases {
    pub(super) fn len(&self) -> u64 {
        self.held.len() as u64
    }

    pub(super) fn insert(&mut self, id: LeaseId, ttl: Duration, now: Instant) {
        let deadline = now + ttl;
        let held = Held {
            ttl,
            deadline,
            keys: BTreeSet::new(),
            ending: false,
        };
        self.held.insert(id, held);
        self.soonest = Some(
            self.soonest
                .map_or(deadline, |soonest| soonest.min(deadline)),
        );
    }

    pub(super) fn remove(&mut self, id: LeaseId) {
        self.held.remove(&id);
    }

    /// Whether keys may be attached to it.
    pub(super) fn lives(&self, id: LeaseId) -> bool {
        self.held.get(&id).is_some_and(|held| !held.ending)
    }

    pub(super) fn ttl(&self, id: LeaseId) -> Option<Duration> {
        self.held.get(&id).map(|held| held.ttl)
    }

    pub(super) fn keys(&self, id: LeaseId) -> impl Iterator<Item = &Bytes> {
        self.held.get(&id).into_iter().flat_map(|held| &held.keys)
    }

    /// Whether there is such a lease to attach the key to.
    pub(super) fn attach(&mut self, id: LeaseId, key: Bytes) -> bool {
        let held = self.held.get_mut(&id);
        held.map(|held| held.keys.insert(key)).is_some()
    }

    pub(super) fn detach(&mut self, id: LeaseId, key: &Bytes) {
        if let Some(held) = self.held.get_mut(&id) {
            held.keys.remove(key);
        }
    }

    /// Gives the lease its full time again, if it still lives.
    pub(super) fn keep_alive(&mut self, id: LeaseId, now: Instant) -> Option<Duration> {
        let held = self.held.get_mut(&id).filter(|held| !held.ending)?;
        held.deadline = now + held.ttl;
        Some(held.ttl)
    }

    /// From now on too late for a keep-alive.
    pub(super) fn end(&mut self, id: LeaseId) {
        if let Some(held) = self.held.get_mut(&id) {
            held.ending = true;
        }
    }

    /// The end could not be written: the lease goes on for a little while.
    pub(super) fn end_later(&mut self, id: LeaseId, now: Instant) {
        if let Some(held) = self.held.get_mut(&id) {
            held.ending = false;
            held.deadline = held.deadline.max(now + RETRY);
            self.soonest = Some(now);
        }
    }

    /// When to look again.
    pub(super) fn soonest(&self) -> Option<Instant> {
        self.soonest
    }

    /// The leases that ran out, some at a time.
    pub(super) fn due(&mut self, now: Instant) -> Vec<LeaseId> {
        if self.soonest.is_none_or(|soonest| soonest > now) {
            return Vec::new();
        }
        let over = |held: &Held| !held.ending && held.deadline <= now;
        let due: Vec<LeaseId> = self
            .held
            .iter()
            .filter(|(_, held)| over(held))
            .map(|(id, _)| *id)
            .take(DUE_MAX)
            .collect();
        due.iter().for_each(|id| self.end(*id));
        let left = self.held.values().filter(|held| !held.ending);
        self.soonest = left.map(|held| held.deadline).min();
        due
    }
}
