//! Everything that discovery knows, behind one lock that is never held across an `await`.

mod history;
mod state;

use std::sync::Arc;
use std::time::{Duration, Instant};

use discovery::{
    Cause, Instance, Lease, ListReply, Position, QueryReply, Registration, WatchEvent, Which,
};
use parking_lot::Mutex;
use rpc::{Code, Error, Retry};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::state::State;

/// How often leases are looked at, at the least. It is also how a pause of this process is noticed,
/// and so it is shorter than the gap that counts as one ([`membership::Terms::tick_gap_max_ms`]).
const TICK: Duration = Duration::from_millis(500);

/// An instance, named by service and name.
pub(crate) type Key = (String, String);

/// Why a registration is over, as its stream learns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Deregistered,
    Expired,
    Replaced,
    /// Discovery itself ends.
    Ending,
}

/// The registry of one life of discovery.
pub(crate) struct Registry {
    incarnation: u64,
    started: Instant,
    state: Mutex<State>,
    revision: watch::Sender<u64>,
    ending: CancellationToken,
}

/// What a watch gets next.
pub(crate) struct Batch {
    pub(crate) events: Vec<WatchEvent>,
    /// Where the watch is after them.
    pub(crate) position: Position,
}

impl Registry {
    pub(crate) fn new(history: usize) -> Result<Self, Error> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|e| Error::internal("no-randomness", format!("no random numbers: {e}")))?;
        // 53 bits, so that programs whose numbers are floating point can hold it.
        let incarnation = u64::from_le_bytes(random) >> 11;
        Ok(Self {
            incarnation,
            started: Instant::now(),
            state: Mutex::new(State::new(first_epoch(), history)),
            revision: watch::Sender::new(0),
            ending: CancellationToken::new(),
        })
    }

    /// Registers an instance; the lease lasts as long as what is returned.
    pub(crate) fn register(
        self: &Arc<Self>,
        registration: Registration,
        ttl_ms: u64,
    ) -> Result<Held, Error> {
        let key = (registration.service.clone(), registration.instance.clone());
        let (ends, ended) = oneshot::channel();
        let now_ms = self.now_ms();
        let mut state = self.state.lock();
        if state.ended {
            return Err(ending());
        }
        let granted = state.register(key.clone(), registration, ttl_ms, now_ms, ends)?;
        self.publish(&state);
        Ok(Held {
            registry: Arc::clone(self),
            lease: self.lease(granted.epoch),
            ttl_ms: granted.ttl_ms,
            revision: state.history.revision(),
            key,
            ended,
        })
    }

    /// Renews a lease; returns how long it lasts from now.
    pub(crate) fn heartbeat(&self, key: &Key, lease: Lease) -> Result<u64, Error> {
        self.check_incarnation(lease)?;
        let now_ms = self.now_ms();
        let until_ms = self.state.lock().heartbeat(key, lease.epoch, now_ms)?;
        Ok(until_ms.saturating_sub(now_ms))
    }

    /// Ends a lease at its owner's wish.
    pub(crate) fn deregister(&self, key: &Key, lease: Lease) -> Result<(), Error> {
        if self.check_incarnation(lease).is_err() {
            // What was registered in an earlier life ended with it.
            return Ok(());
        }
        let now_ms = self.now_ms();
        let mut state = self.state.lock();
        state.deregister(key, lease.epoch, now_ms)?;
        self.publish(&state);
        Ok(())
    }

    fn connection_lost(&self, key: &Key, epoch: u64) {
        let now_ms = self.now_ms();
        let mut state = self.state.lock();
        state.connection_lost(key, epoch, now_ms);
        self.publish(&state);
    }

    /// Ends the leases whose time is over; returns how long nothing else will be.
    fn tick(&self) -> Duration {
        let now_ms = self.now_ms();
        let mut state = self.state.lock();
        state.expire(now_ms);
        self.publish(&state);
        let next = state
            .next_expiry_ms()
            .map(|at_ms| at_ms.saturating_sub(now_ms));
        TICK.min(Duration::from_millis(next.unwrap_or(u64::MAX).max(1)))
    }

    pub(crate) fn query(&self, service: &str, which: Which) -> QueryReply {
        let mut state = self.state.lock();
        let instances = match which {
            Which::All => state.of(service).cloned().collect(),
            Which::Random => state.draw(service).into_iter().collect(),
        };
        QueryReply {
            instances,
            position: self.position(&state),
        }
    }

    pub(crate) fn list(&self) -> ListReply {
        let state = self.state.lock();
        ListReply {
            services: state.services(),
            position: self.position(&state),
        }
    }

    /// What a watch of `service` (all, if empty) that has seen everything up to `after` gets next.
    pub(crate) fn after(&self, service: &str, after: Option<Position>) -> Batch {
        self.state.lock().after(service, after, self.incarnation)
    }

    /// Says when there is something new.
    pub(crate) fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// From now on nothing is registered and nothing removed: the connections that break because
    /// this process ends say nothing about their owners. All streams end.
    pub(crate) fn end(&self) {
        self.state.lock().end();
        self.ending.cancel();
    }

    /// Waits for [`Registry::end`].
    pub(crate) async fn ended(&self) {
        self.ending.cancelled().await;
    }

    pub(crate) fn metrics(&self) -> String {
        let state = self.state.lock();
        format!(
            "# TYPE discovery_instances gauge\n# HELP discovery_instances Registered instances.\n\
             discovery_instances {}\n\
             # TYPE discovery_revision counter\n# HELP discovery_revision Changes so far.\n\
             discovery_revision_total {}\n\
             # TYPE discovery_expired counter\n# HELP discovery_expired Leases that ran out.\n\
             discovery_expired_total {}\n",
            state.len(),
            state.history.revision(),
            state.expired,
        )
    }

    fn check_incarnation(&self, lease: Lease) -> Result<(), Error> {
        if lease.incarnation == self.incarnation {
            return Ok(());
        }
        let message = "discovery has restarted since this lease was given";
        Err(Error::new(Code::Conflict, "other-incarnation", message).with_hint("register again"))
    }

    fn lease(&self, epoch: u64) -> Lease {
        Lease {
            incarnation: self.incarnation,
            epoch,
        }
    }

    fn position(&self, state: &State) -> Position {
        Position {
            incarnation: self.incarnation,
            revision: state.history.revision(),
        }
    }

    /// Called with the lock held, so that revisions are published in their order.
    fn publish(&self, state: &State) {
        let revision = state.history.revision();
        self.revision.send_if_modified(|published| {
            let newer = *published != revision;
            *published = revision;
            newer
        });
    }

    /// Of the monotonic clock: a wall clock that jumps ends no lease.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Epochs go on growing after a restart without anything on disk: they start at the time of day, in
/// thousandths of a millisecond. Nothing but the fencing of very old leases suffers if that clock
/// goes back, because every lease names its incarnation too.
fn first_epoch() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(0)
}

/// Ends leases in time, for ever.
pub(crate) async fn keep_time(registry: Arc<Registry>) {
    loop {
        sleep(registry.tick()).await;
    }
}

/// A lease, while its stream is open.
pub(crate) struct Held {
    registry: Arc<Registry>,
    key: Key,
    ended: oneshot::Receiver<End>,
    pub(crate) lease: Lease,
    pub(crate) ttl_ms: u64,
    pub(crate) revision: u64,
}

impl Held {
    /// Waits until the lease ends; `Ok` if its owner wished so.
    pub(crate) async fn end(&mut self) -> Result<(), Error> {
        let conflict = |reason, message| Error::new(Code::Conflict, reason, message);
        match (&mut self.ended).await {
            Ok(End::Deregistered) => Ok(()),
            Ok(End::Expired) => Err(conflict("lease-expired", "the lease ran out")
                .with_hint("no heartbeat came for as long as the TTL; register again")),
            Ok(End::Replaced) => Err(conflict(
                "lease-replaced",
                "the same instance has registered again since",
            )),
            Ok(End::Ending) | Err(_) => Err(ending()),
        }
    }
}

impl Drop for Held {
    /// The stream is over. If the lease is not, its owner is gone without a word.
    fn drop(&mut self) {
        self.registry.connection_lost(&self.key, self.lease.epoch);
    }
}

pub(crate) fn ending() -> Error {
    Error::new(Code::Unavailable, "ending", "discovery ends")
        .with_retry(Retry::Safe)
        .with_hint("it is back in a moment, if it is supervised")
}

/// One change.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Registered(Arc<Instance>),
    Removed { key: Key, epoch: u64, cause: Cause },
}
