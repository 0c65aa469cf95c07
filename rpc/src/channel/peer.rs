//! One server that a channel calls: its connection, and how it has done lately.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::jittered;
use crate::client::{Connection, Handle};
use crate::{Code, Error, Limits};

const BACKOFF_FIRST: Duration = Duration::from_millis(5);
/// A latency counts half after this long without a call.
const FORGET_HALF_MS: u64 = 100;
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// One server.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    limits: Limits,
    current: ArcSwapOption<Handle>,
    /// Held while connecting, so that a thousand callers make one connection.
    connecting: Arc<tokio::sync::Mutex<Backoff>>,
    in_flight: AtomicU32,
    /// Moving average of the latency, in microseconds.
    latency_us: AtomicU64,
    /// When that was last measured, in milliseconds since `born`.
    measured_ms: AtomicU64,
    born: Instant,
    failing: AtomicU32,
    /// Until when nobody should try to connect, because the last attempt failed.
    down_until: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Backoff {
    failures: u32,
    error: Option<Error>,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, limits: Limits) -> Self {
        Self {
            address,
            limits,
            current: ArcSwapOption::empty(),
            connecting: Arc::default(),
            in_flight: AtomicU32::new(0),
            latency_us: AtomicU64::new(0),
            measured_ms: AtomicU64::new(0),
            born: Instant::now(),
            failing: AtomicU32::new(0),
            down_until: Mutex::new(None),
        }
    }

    /// Whether connecting failed a moment ago.
    pub(super) fn is_down(&self) -> bool {
        self.failing.load(Relaxed) > 0
            && self
                .down_until
                .lock()
                .is_some_and(|until| Instant::now() < until)
    }

    /// The connection, if there is one that takes calls.
    pub(super) fn open_connection(&self) -> Option<Arc<Handle>> {
        self.current
            .load_full()
            .filter(|connection| connection.is_open())
    }

    /// Connects, or waits for whoever is connecting already. After a failure the next attempt
    /// waits a little, and those who ask meanwhile get that failure at once.
    pub(super) async fn connect(self: &Arc<Self>) -> Result<Arc<Handle>, Error> {
        let backoff = Arc::clone(&self.connecting).lock_owned().await;
        if let Some(connection) = self.open_connection() {
            return Ok(connection);
        }
        if let Some(error) = backoff.error.as_ref().filter(|_| self.is_down()) {
            return Err(error.clone());
        }
        // As a task: a caller who gives up does not end what the next one would begin again.
        let attempt = tokio::spawn(Arc::clone(self).attempt(backoff)).await;
        attempt.unwrap_or_else(|e| Err(Error::unsent("cannot-connect", e.to_string())))
    }

    async fn attempt(
        self: Arc<Self>,
        mut backoff: OwnedMutexGuard<Backoff>,
    ) -> Result<Arc<Handle>, Error> {
        match Connection::open(self.address, &self.limits).await {
            Ok(handle) => {
                let handle = Arc::new(handle);
                self.current.store(Some(Arc::clone(&handle)));
                *backoff = Backoff::default();
                self.failing.store(0, Relaxed);
                Ok(handle)
            }
            Err(error) => {
                let pause = pause_after(backoff.failures);
                backoff.failures += 1;
                backoff.error = Some(error.clone());
                *self.down_until.lock() = Some(Instant::now() + pause);
                self.failing.store(backoff.failures, Relaxed);
                Err(error)
            }
        }
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What a further call here would cost, compared with other peers.
    pub(super) fn cost(&self, weight: u32) -> f64 {
        let waiting = f64::from(self.in_flight.load(Relaxed)) + 1.0;
        // In steps of two from a quarter of a millisecond: what is about as fast counts the same.
        // What was not measured for long counts less and less, or a server that was slow once
        // would never be asked again.
        let age_ms = self.age_ms().saturating_sub(self.measured_ms.load(Relaxed));
        let halvings = (age_ms / FORGET_HALF_MS).min(63) as u32;
        let latency = (self.latency_us.load(Relaxed) >> halvings) / 256;
        let latency = latency.next_power_of_two() as f64;
        let failing = f64::from(self.failing.load(Relaxed).min(20)).exp2();
        waiting * latency * failing / f64::from(weight.max(1))
    }
}

/// Doubles with each failure, up to a cap, and is never the same for two clients.
fn pause_after(failures: u32) -> Duration {
    let pause = BACKOFF_FIRST * 2_u32.pow(failures.min(10));
    jittered(pause.min(BACKOFF_MAX))
}

/// Counts one call for its peer, from start to end.
pub(super) struct Load {
    peer: Arc<Peer>,
    started: Instant,
}

impl Load {
    pub(super) fn start(peer: &Arc<Peer>) -> Self {
        peer.in_flight.fetch_add(1, Relaxed);
        Self {
            peer: Arc::clone(peer),
            started: Instant::now(),
        }
    }

    /// Learns from how the call went.
    pub(super) fn ended(self, error: Option<&Error>) {
        let unreachable = error.is_some_and(|e| e.code == Code::Unavailable);
        if unreachable {
            self.peer.failing.fetch_add(1, Relaxed);
            return;
        }
        self.peer.failing.store(0, Relaxed);
        let us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let before = self.peer.latency_us.load(Relaxed);
        // A slower answer counts at once, a faster one little by little: peak EWMA.
        let after = if us > before {
            us
        } else {
            before - (before - us) / 8
        };
        self.peer.latency_us.store(after, Relaxed);
        self.peer.measured_ms.store(self.peer.age_ms(), Relaxed);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.peer.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_herd_of_clients_comes_back_spread_over_the_window_and_none_waits_more_than_5_s() {
        for failures in [0, 3, 10, 1_000_000, u32::MAX] {
            let cap = BACKOFF_MAX.min(BACKOFF_FIRST * 2_u32.pow(failures.min(10)));
            let pauses: Vec<_> = (0..200).map(|_| pause_after(failures)).collect();
            let (first, last) = (
                pauses.iter().min().expect("200 pauses"),
                pauses.iter().max().expect("200 pauses"),
            );
            assert!(*last <= cap, "{last:?} after {failures} failures");
            // The window is the later half of the pause.
            assert!(*first >= cap / 2, "{first:?} after {failures} failures");
            assert!(
                *last - *first >= (cap / 2).mul_f64(0.8),
                "{first:?} to {last:?}"
            );
            let in_tenth = |tenth: u32| {
                let from = cap / 2 + cap / 20 * tenth;
                pauses
                    .iter()
                    .filter(|p| (from..from + cap / 20).contains(p))
                    .count()
            };
            assert!(
                (0..10).all(|tenth| in_tenth(tenth) < 60),
                "a tenth holds a third"
            );
        }
    }
}
