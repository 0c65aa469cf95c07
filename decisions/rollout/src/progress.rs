//! Whether a step comes nearer to being well.

/// What was seen of a step, or of the way back.
///
/// The clock runs from the last progress: from when more slots were well than ever before at this
/// step. It stands while all are. When one is lost after all were well for long enough it begins
/// anew; before that it only goes on, so that what is well for a moment again and again does not
/// hold a release for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Since when there was no progress; absent before the first look.
    pub since_ms: Option<u64>,
    /// The most slots that were well.
    pub best: u32,
    /// When all were well for the first time.
    pub reached_ms: Option<u64>,
    /// Since when all are, without a break.
    pub well_since_ms: Option<u64>,
}

impl Progress {
    /// Takes note of what is well now: `well` of `all` slots.
    pub fn look(&mut self, well: u32, all: u32, settle_ms: u64, now_ms: u64) {
        let since_ms = self.since_ms.unwrap_or(now_ms);
        self.since_ms = Some(since_ms);
        if well > self.best {
            self.best = well;
            self.since_ms = Some(now_ms);
        }
        if well >= all {
            self.reached_ms.get_or_insert(now_ms);
            self.well_since_ms.get_or_insert(now_ms);
        } else if let Some(well_since_ms) = self.well_since_ms.take() {
            let lasted_ms = now_ms.saturating_sub(well_since_ms);
            self.since_ms = Some(if lasted_ms >= settle_ms {
                now_ms
            } else {
                since_ms.saturating_add(lasted_ms).min(now_ms)
            });
        }
    }

    /// For how long there was no progress, in milliseconds; none while all is well.
    #[must_use]
    pub fn stalled_ms(&self, now_ms: u64) -> u64 {
        let since_ms = self.since_ms.filter(|_| self.well_since_ms.is_none());
        since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms))
    }

    /// Whether it was reached so long ago, and all is well without a break for long enough.
    #[must_use]
    pub fn is_settled(&self, settle_ms: u64, hold_ms: u64, now_ms: u64) -> bool {
        let lasts =
            |since: Option<u64>, ms| since.is_some_and(|at| now_ms.saturating_sub(at) >= ms);
        lasts(self.well_since_ms, settle_ms) && lasts(self.reached_ms, hold_ms)
    }

    /// Nobody looked until now, or nothing was allowed to happen: that time does not count.
    pub fn look_again(&mut self, now_ms: u64) {
        self.since_ms = self.since_ms.map(|_| now_ms);
        self.well_since_ms = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: u64 = 100;

    #[test]
    fn each_slot_that_becomes_well_starts_the_clock_anew() {
        let mut progress = Progress::default();
        for (now, well) in [(0, 0), (50, 1), (90, 1), (500, 2)] {
            progress.look(well, 3, SETTLE, now);
        }
        assert_eq!(progress.stalled_ms(700), 200);
        // One that was lost and came back is no progress.
        progress.look(1, 3, SETTLE, 800);
        progress.look(2, 3, SETTLE, 900);
        assert_eq!(progress.stalled_ms(1_000), 500);
    }

    #[test]
    fn a_restart_during_a_long_hold_starts_the_clock_anew() {
        let mut progress = Progress::default();
        progress.look(3, 3, SETTLE, 0);
        progress.look(3, 3, SETTLE, 1_000_000);
        assert_eq!(progress.stalled_ms(1_000_000), 0);
        progress.look(2, 3, SETTLE, 1_000_010);
        assert_eq!(progress.stalled_ms(1_000_020), 10);
        progress.look(3, 3, SETTLE, 1_000_020);
        assert!(!progress.is_settled(SETTLE, 1_000, 1_000_119));
        assert!(
            progress.is_settled(SETTLE, 1_000, 1_000_120),
            "the hold goes on"
        );
    }

    #[test]
    fn what_is_well_for_a_moment_again_and_again_runs_out_of_time() {
        let mut progress = Progress::default();
        let mut now = 0;
        for _ in 0..50 {
            progress.look(3, 3, SETTLE, now);
            progress.look(2, 3, SETTLE, now + 90);
            now += 120;
        }
        assert_eq!(progress.stalled_ms(now), 50 * 30);
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        let mut progress = Progress::default();
        progress.look_again(5);
        assert_eq!(progress, Progress::default());
        progress.look(3, 3, SETTLE, 10);
        progress.look_again(1_000);
        progress.look(2, 3, SETTLE, 1_000);
        assert_eq!(progress.stalled_ms(1_040), 40);
    }
}
