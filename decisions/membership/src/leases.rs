//! The state machine.

use std::collections::{BTreeMap, BTreeSet};

/// Which registration of an owner a message belongs to. Grows with every registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// The rules that hold for every lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The shortest TTL that is granted, in milliseconds; a shorter wish gets this.
    pub ttl_min_ms: u64,
    /// The longest.
    pub ttl_max_ms: u64,
    /// How far two calls of [`Leases::expire`] may lie apart, in milliseconds, before the gap
    /// counts as a pause of this server. Call it more often than this.
    pub tick_gap_max_ms: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            ttl_min_ms: 500,
            ttl_max_ms: 300_000,
            tick_gap_max_ms: 1_000,
        }
    }
}

/// One lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which registration it belongs to.
    pub epoch: Epoch,
    /// How long it lasts after a keepalive, in milliseconds.
    pub ttl_ms: u64,
    /// When it ends, unless it is kept alive.
    pub expires_at_ms: u64,
}

/// A lease that ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired<O> {
    /// Whose.
    pub owner: O,
    /// Which registration.
    pub epoch: Epoch,
}

/// Why a message changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// There is no lease: it ended, or never was.
    #[error("the lease has ended: register again")]
    Ended,
    /// A later registration has taken its place.
    #[error("epoch {} was replaced by {}: this sender owns it no more", given.0, current.0)]
    Replaced {
        /// The epoch of the message.
        given: Epoch,
        /// The epoch that holds the lease.
        current: Epoch,
    },
    /// The epoch was never given out.
    #[error("epoch {} was never given out: register again", given.0)]
    FromTheFuture {
        /// The epoch of the message.
        given: Epoch,
    },
}

/// Who is alive.
#[derive(Clone, Debug)]
pub struct Leases<O> {
    terms: Terms,
    leases: BTreeMap<O, Lease>,
    by_expiry: BTreeSet<(u64, O)>,
    last_epoch: Epoch,
    /// The latest moment that was heard of; time never goes back.
    now_ms: u64,
    /// When this server last showed that it runs, through `expire` or any message.
    last_tick_ms: Option<u64>,
}

impl<O: Ord + Clone> Leases<O> {
    /// No leases yet.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            leases: BTreeMap::new(),
            by_expiry: BTreeSet::new(),
            last_epoch: Epoch(0),
            now_ms: 0,
            last_tick_ms: None,
        }
    }

    /// Goes on counting from an epoch that an earlier life of this server gave out.
    #[must_use]
    pub fn resuming_after(terms: Terms, last: Epoch) -> Self {
        Self {
            last_epoch: last,
            ..Self::new(terms)
        }
    }

    /// Gives the owner a lease with a new epoch; an earlier lease of the same owner is replaced.
    pub fn register(&mut self, owner: O, ttl_ms: u64, now_ms: u64) -> Epoch {
        let now_ms = self.advance(now_ms);
        self.last_epoch = Epoch(self.last_epoch.0 + 1);
        let ttl_ms = self.granted(ttl_ms);
        let lease = Lease {
            epoch: self.last_epoch,
            ttl_ms,
            expires_at_ms: now_ms.saturating_add(ttl_ms),
        };
        self.remove(&owner);
        self.by_expiry.insert((lease.expires_at_ms, owner.clone()));
        self.leases.insert(owner, lease);
        self.last_epoch
    }

    /// How long a lease is granted for, in milliseconds, when this is wished for.
    #[must_use]
    pub fn granted(&self, ttl_ms: u64) -> u64 {
        let longest = self.terms.ttl_max_ms.max(self.terms.ttl_min_ms);
        ttl_ms.clamp(self.terms.ttl_min_ms, longest)
    }

    /// Renews a lease and says when it ends now. Never shortens it.
    ///
    /// # Errors
    /// [`LeaseError`], when the lease has ended (even if [`Leases::expire`] was not called yet) or
    /// belongs to another epoch; nothing has changed then.
    pub fn keep_alive(&mut self, owner: &O, epoch: Epoch, now_ms: u64) -> Result<u64, LeaseError> {
        let now_ms = self.advance(now_ms);
        let mut lease = self.held(owner, epoch)?;
        if lease.expires_at_ms <= now_ms {
            return Err(LeaseError::Ended);
        }
        let renewed = now_ms.saturating_add(lease.ttl_ms);
        let before = lease.expires_at_ms;
        lease.expires_at_ms = renewed.max(before);
        self.by_expiry.remove(&(before, owner.clone()));
        self.by_expiry.insert((lease.expires_at_ms, owner.clone()));
        self.leases.insert(owner.clone(), lease);
        Ok(lease.expires_at_ms)
    }

    /// Ends a lease at its owner's wish.
    ///
    /// # Errors
    /// [`LeaseError`], when there is none or it belongs to another epoch: whoever registered since
    /// is not deregistered by a predecessor's farewell.
    pub fn deregister(&mut self, owner: &O, epoch: Epoch) -> Result<(), LeaseError> {
        self.held(owner, epoch)?;
        self.remove(owner);
        Ok(())
    }

    /// Ends and returns every lease whose time is over, the earliest first.
    ///
    /// This is also the server's heartbeat. When more than [`Terms::tick_gap_max_ms`] has passed
    /// since it last ran, the *server* was not there to hear keepalives (it was stopped, starved,
    /// or its machine slept), and every lease is extended by the gap before any is ended. A server
    /// that wakes up therefore never finds everybody dead.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Expired<O>> {
        let now_ms = self.advance(now_ms);
        let mut expired = Vec::new();
        while let Some((at_ms, owner)) = self.by_expiry.first().cloned() {
            if at_ms > now_ms {
                break;
            }
            if let Some(lease) = self.remove(&owner) {
                let epoch = lease.epoch;
                expired.push(Expired { owner, epoch });
            }
        }
        expired
    }

    /// When the next lease ends, unless it is kept alive: a good moment for [`Leases::expire`],
    /// besides the regular ones.
    #[must_use]
    pub fn next_expiry(&self) -> Option<u64> {
        self.by_expiry.first().map(|(at_ms, _)| *at_ms)
    }

    /// The lease of an owner. It may be over already, if `expire` has not been called since.
    #[must_use]
    pub fn get(&self, owner: &O) -> Option<Lease> {
        self.leases.get(owner).copied()
    }

    /// Everybody who has a lease.
    pub fn owners(&self) -> impl Iterator<Item = (&O, &Lease)> {
        self.leases.iter()
    }

    /// How many leases there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.leases.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// The last epoch that was given out.
    #[must_use]
    pub fn last_epoch(&self) -> Epoch {
        self.last_epoch
    }

    fn held(&self, owner: &O, given: Epoch) -> Result<Lease, LeaseError> {
        if given > self.last_epoch {
            return Err(LeaseError::FromTheFuture { given });
        }
        let lease = self.get(owner).ok_or(LeaseError::Ended)?;
        if lease.epoch != given {
            let current = lease.epoch;
            return Err(LeaseError::Replaced { given, current });
        }
        Ok(lease)
    }

    fn remove(&mut self, owner: &O) -> Option<Lease> {
        let (owner, lease) = self.leases.remove_entry(owner)?;
        self.by_expiry.remove(&(lease.expires_at_ms, owner));
        Some(lease)
    }

    /// Takes note of the time, and of a pause of this server. The first sign of life after a pause
    /// may be a message rather than a tick, so every entry point comes through here.
    fn advance(&mut self, now_ms: u64) -> u64 {
        self.now_ms = self.now_ms.max(now_ms);
        let last_ms = self.last_tick_ms.replace(self.now_ms);
        let gap_ms = last_ms.map_or(0, |last_ms| self.now_ms - last_ms);
        if gap_ms > self.terms.tick_gap_max_ms {
            self.extend_all(gap_ms);
        }
        self.now_ms
    }

    fn extend_all(&mut self, gap_ms: u64) {
        for lease in self.leases.values_mut() {
            lease.expires_at_ms = lease.expires_at_ms.saturating_add(gap_ms);
        }
        let leases = self.leases.iter();
        self.by_expiry = leases
            .map(|(owner, lease)| (lease.expires_at_ms, owner.clone()))
            .collect();
    }
}
