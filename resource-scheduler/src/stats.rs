//! How fast decisions are, and what came of them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

/// So many of the last times are kept.
const KEPT: usize = 4_096;

/// Counted since the start.
#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) decisions: AtomicU64,
    pub(crate) taken: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) nowhere: AtomicU64,
    /// Microseconds for one decision.
    pub(crate) decide_us: Last,
    /// Milliseconds from waiting to placed, durably.
    pub(crate) placed_ms: Last,
}

impl Stats {
    pub(crate) fn decided(&self, count: usize, took: Duration) {
        let count = count as u64;
        self.decisions.fetch_add(count, Relaxed);
        let each = took.as_micros() / u128::from(count.max(1));
        self.decide_us.add(u64::try_from(each).unwrap_or(u64::MAX));
    }

    pub(crate) fn taken(&self, waited_ms: u64) {
        self.taken.fetch_add(1, Relaxed);
        self.placed_ms.add(waited_ms);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn nowhere(&self) {
        self.nowhere.fetch_add(1, Relaxed);
    }

    /// In OpenMetrics format; `waiting` and `leads` are as they are now.
    pub(crate) fn metrics(&self, waiting: usize, nowhere: usize, leads: bool) -> String {
        let mut text = String::new();
        let counters = [
            (
                "decisions",
                "Instances that were looked at.",
                &self.decisions,
            ),
            ("taken", "Decisions that scheduling took.", &self.taken),
            (
                "refused",
                "Decisions that were refused and made again.",
                &self.refused,
            ),
            (
                "nowhere",
                "Times that scheduling was told why something has no place.",
                &self.nowhere,
            ),
        ];
        for (name, help, counter) in counters {
            let value = counter.load(Relaxed);
            let name = format!("orrery_placement_{name}");
            let _ = write!(
                text,
                "# TYPE {name} counter\n# HELP {name} {help}\n{name}_total {value}\n"
            );
        }
        let gauges = [
            ("queue_depth", "Instances that wait for a place.", waiting),
            (
                "unplaceable",
                "Of these, how many find none as things are.",
                nowhere,
            ),
            (
                "leader",
                "1 on the replica that decides.",
                usize::from(leads),
            ),
        ];
        for (name, help, value) in gauges {
            let name = format!("orrery_placement_{name}");
            let _ = write!(
                text,
                "# TYPE {name} gauge\n# HELP {name} {help}\n{name} {value}\n"
            );
        }
        let times = [
            (
                "decision_microseconds",
                "For one decision.",
                &self.decide_us,
            ),
            (
                "latency_milliseconds",
                "From waiting to placed, durably.",
                &self.placed_ms,
            ),
        ];
        for (name, help, last) in times {
            let name = format!("orrery_placement_{name}");
            let _ = write!(text, "# TYPE {name} gauge\n# HELP {name} {help}\n");
            for (quantile, value) in [("0.5", last.quantile(50)), ("0.99", last.quantile(99))] {
                let _ = writeln!(text, "{name}{{quantile=\"{quantile}\"}} {value}");
            }
        }
        text
    }
}

/// The last times of something.
#[derive(Default)]
pub(crate) struct Last(Mutex<VecDeque<u64>>);

impl Last {
    fn add(&self, value: u64) {
        let mut last = self.0.lock();
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(value);
    }

    /// So many of a hundred are at most this.
    pub(crate) fn quantile(&self, percent: usize) -> u64 {
        let mut sorted: Vec<u64> = self.0.lock().iter().copied().collect();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(at).copied().unwrap_or(0)
    }
}
