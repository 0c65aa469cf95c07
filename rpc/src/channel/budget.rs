//! How many retries a channel may make: a tenth of its calls, and a few at any time.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Instant;

/// Retries that may be made at once, out of nothing.
const BURST: i64 = 20;
/// Retries per second that are always allowed.
const PER_SECOND: i64 = 10;

/// A bucket of retries that fills with time. When a whole service is down, retries stop soon
/// instead of multiplying the load on what is left of it.
#[derive(Debug)]
pub(super) struct RetryBudget {
    start: Instant,
    /// Tenths of a second's worth of retries spent since `start`, in units of one retry.
    spent: AtomicI64,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            spent: AtomicI64::new(0),
        }
    }
}

impl RetryBudget {
    /// Takes one retry, if there is one.
    pub(super) fn spend(&self) -> bool {
        let earned = self.start.elapsed().as_millis() as i64 * PER_SECOND / 1000;
        // What was earned long ago and not used is forgotten: the bucket holds `BURST`.
        let floor = earned - BURST;
        let spent = self.spent.fetch_max(floor, Relaxed).max(floor);
        if spent >= earned + BURST {
            return false;
        }
        self.spent.fetch_add(1, Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_retries_is_allowed_and_then_only_a_trickle() {
        let budget = RetryBudget::default();
        let allowed = (0..1000).filter(|_| budget.spend()).count();
        assert!(
            (20..100).contains(&allowed),
            "{allowed} of 1000 retries at once were allowed"
        );
    }
}
