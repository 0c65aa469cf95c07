//! A clock that is cheap to read, for deadlines that are kept to a few milliseconds anyway.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

fn coarse() -> Duration {
    duration(clock_gettime(ClockId::MonotonicCoarse))
}

fn duration(time: Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

/// What the coarse clock showed at an instant, made up for how far it may lie behind.
struct Base {
    instant: Instant,
    coarse: Duration,
}

impl Base {
    fn measure() -> Self {
        // The kernel's tick: 1 to 10 ms, as it was built.
        let tick = duration(clock_getres(ClockId::MonotonicCoarse));
        loop {
            let before = Instant::now();
            let coarse = coarse();
            // Read last, so that it is never too early; not used if this thread was interrupted.
            let instant = Instant::now();
            if instant - before < Duration::from_millis(1) {
                return Self {
                    instant: instant + tick,
                    coarse,
                };
            }
        }
    }
}

/// Now, or up to two ticks later, never earlier: a deadline that starts here is not cut short.
pub(crate) fn now() -> Instant {
    static BASE: OnceLock<Base> = OnceLock::new();
    let base = BASE.get_or_init(Base::measure);
    base.instant + coarse().saturating_sub(base.coarse)
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
            assert!(cheap <= Instant::now() + Duration::from_millis(30));
        }
    }
}
