//! How often to knock at a door that stays closed.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const FIRST: Duration = Duration::from_millis(5);
/// While discovery has been away for less than [`PATIENT_AFTER`], nobody waits longer than this,
/// so that all are back within a tenth of a second of a restart.
const EAGER_MAX: Duration = Duration::from_millis(80);
/// Later on, a thousand clients must not be a load for their machine.
const PATIENT_MAX: Duration = Duration::from_secs(1);
const PATIENT_AFTER: Duration = Duration::from_secs(10);
/// A door at which nobody answers within this time is closed.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Pauses between attempts: longer and longer, and never the same for two clients.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    since: Option<Instant>,
}

impl Backoff {
    /// An attempt failed: how long to wait before the next.
    pub(crate) fn pause(&mut self) -> Duration {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        let longest = if now - since < PATIENT_AFTER {
            EAGER_MAX
        } else {
            PATIENT_MAX
        };
        let pause = (FIRST * 2_u32.pow(self.failures.min(10))).min(longest);
        self.failures = self.failures.saturating_add(1);
        pause / 2 + pause.mul_f64(random() / 2.0)
    }

    /// An attempt succeeded.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// At least 0, less than 1; good enough to spread load, not to keep secrets.
fn random() -> f64 {
    thread_local! {
        static SEED: RandomState = RandomState::new();
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }
    let count = COUNT.replace(COUNT.get().wrapping_add(1));
    let bits = SEED.with(|seed| seed.hash_one(count)) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

/// Whether anybody listens at an address. It costs a few system calls, where a call that fails
/// costs retries and their pauses; so it comes first, and says at once that nobody is there.
pub(crate) async fn knock(address: SocketAddr) -> Result<(), String> {
    let failed = |why: String| format!("failed to reach discovery at {address}: {why}");
    match timeout(KNOCK_TIMEOUT, TcpStream::connect(address)).await {
        // On one machine, whoever connects to a free port of the range from which the kernel also
        // takes the local one can meet itself.
        Ok(Ok(stream)) if stream.local_addr().is_ok_and(|local| local == address) => {
            Err(failed("nobody listens".to_owned()))
        }
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) => Err(failed(e.to_string())),
        Err(_) => Err(failed("no answer".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn everybody_is_back_soon_after_a_short_absence_and_nobody_hurries_in_a_long_one() {
        let mut backoff = Backoff::default();
        assert!(backoff.pause() <= FIRST);
        for _ in 0..50 {
            assert!(backoff.pause() <= EAGER_MAX);
        }
        tokio::time::advance(PATIENT_AFTER).await;
        let pause = backoff.pause();
        assert!(
            (PATIENT_MAX / 2..=PATIENT_MAX).contains(&pause),
            "{pause:?}"
        );
        backoff.reset();
        assert!(backoff.pause() <= FIRST);
    }

    #[test]
    fn two_clients_do_not_come_back_at_the_same_moment() {
        let numbers: Vec<f64> = (0..100).map(|_| random()).collect();
        assert!(numbers.iter().all(|n| (0.0..1.0).contains(n)));
        let low = numbers.iter().filter(|n| **n < 0.5).count();
        assert!(
            (20..=80).contains(&low),
            "{low} of 100 are below the middle"
        );
    }
}
