//! A clock that is cheap to read, for deadlines that are kept to a few milliseconds anyway.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The kernel's tick at its slowest: how far the coarse clock may lie behind.
const TICK: Duration = Duration::from_millis(4);

fn coarse() -> Duration {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

/// Now, or up to a tick later, never earlier: a deadline that starts here is not cut short.
pub(crate) fn now() -> Instant {
    static BASE: OnceLock<(Instant, Duration)> = OnceLock::new();
    let (instant, base) = *BASE.get_or_init(|| (Instant::now(), coarse()));
    instant + coarse().saturating_sub(base) + TICK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_behind_and_at_most_a_few_ticks_ahead() {
        for _ in 0..10_000 {
            let before = Instant::now();
            let cheap = now();
            assert!(cheap >= before, "behind by {:?}", before - cheap);
            assert!(cheap <= Instant::now() + 3 * TICK);
        }
    }
}
