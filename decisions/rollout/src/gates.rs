//! Whether the newer version answers as well as the older one.

use crate::Latency;
use crate::evidence::{CHANCE_MAX, beyond, worse};

/// How a version answered since a step began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls that ended.
    pub calls: u64,
    /// Of these, with an error.
    pub errors: u64,
    /// How long they took.
    pub latency: Latency,
}

impl Stats {
    /// Errors of a thousand calls.
    #[must_use]
    pub fn errors_permille(&self) -> u64 {
        self.errors
            .saturating_mul(1_000)
            .checked_div(self.calls)
            .unwrap_or(0)
    }

    /// 99 of 100 calls took no longer than this, in microseconds; absent if nothing is known.
    #[must_use]
    pub fn p99_us(&self) -> Option<u64> {
        self.latency.quantile_us(990)
    }
}

/// What the newer version has to keep to. A limit is broken when what was counted lies beyond it
/// and is no chance: a few errors of few calls break none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gates {
    /// With fewer calls than this nothing is judged.
    pub calls_min: u64,
    /// At most so many errors of a thousand calls, whatever the older version does,
    pub errors_permille_max: u64,
    /// and at most so many more than the older version.
    pub errors_permille_more: u64,
    /// Its p99 is at most so many times the older version's,
    pub p99_times: u64,
    /// or at most so much longer, in microseconds.
    pub p99_more_us: u64,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            calls_min: 50,
            errors_permille_max: 50,
            errors_permille_more: 10,
            p99_times: 2,
            p99_more_us: 10_000,
        }
    }
}

/// What is wrong with the newer version, in words; `None` if nothing is, or nothing can be said.
///
/// Errors beyond the absolute limit are judged by a binomial test, more errors than the older
/// version by Fisher's exact test, and a p99 by the calls that are slower than its limit: more of
/// them than one in a hundred, by a binomial test again.
#[must_use]
pub fn judge(gates: &Gates, old: &Stats, new: &Stats) -> Option<String> {
    if new.calls < gates.calls_min {
        return None;
    }
    let (errors, before) = (new.errors_permille(), old.errors_permille());
    let limit = gates.errors_permille_max;
    let share = limit as f64 / 1_000.0;
    if errors > limit && beyond(new.calls, new.errors, share) < CHANCE_MAX {
        return Some(format!("{errors} of 1000 calls fail ({} calls)", new.calls));
    }
    if old.calls < gates.calls_min {
        return None;
    }
    if errors > before.saturating_add(gates.errors_permille_more)
        && worse(new.calls, new.errors, old.calls, old.errors) < CHANCE_MAX
    {
        return Some(format!(
            "{errors} of 1000 calls fail, {before} do with the older version"
        ));
    }
    slower(gates, old, new)
}

fn slower(gates: &Gates, old: &Stats, new: &Stats) -> Option<String> {
    let (p99, before) = (new.p99_us()?, old.p99_us()?);
    let times = before.saturating_mul(gates.p99_times);
    let limit = times.max(before.saturating_add(gates.p99_more_us));
    // What is not in the histogram cannot be slow.
    let slow = new.latency.slower_than(limit).min(new.calls);
    let broken = p99 >= limit && slow * 100 > new.calls;
    (broken && beyond(new.calls, slow, 0.01) < CHANCE_MAX).then(|| {
        format!("1 of 100 calls takes {p99} us or longer, {before} us with the older version")
    })
}
