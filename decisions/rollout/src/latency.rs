//! How long calls took, as far as a histogram tells.

use std::collections::BTreeMap;

/// Counts of calls by how long they took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency(BTreeMap<u64, u64>);

impl Latency {
    /// From how many calls took no longer than each bound, in microseconds; the largest bound
    /// stands for all calls.
    #[must_use]
    pub fn new(no_longer: BTreeMap<u64, u64>) -> Self {
        Self(no_longer)
    }

    fn all(&self) -> u64 {
        self.0.values().next_back().copied().unwrap_or(0)
    }

    /// So many of a thousand calls took no longer than this, in microseconds: as if calls were
    /// spread evenly inside a bucket, as Prometheus' `histogram_quantile` has it. A share that lies
    /// in the bucket without an end is its beginning. Absent if nothing was counted.
    #[must_use]
    pub fn quantile_us(&self, permille: u64) -> Option<u64> {
        let all = self.all();
        if all == 0 {
            return None;
        }
        let rank = all as f64 * permille as f64 / 1_000.0;
        let (mut low, mut before) = (0, 0);
        for (&bound, &count) in &self.0 {
            if count as f64 >= rank && count > before {
                if bound == u64::MAX {
                    return Some(low);
                }
                let inside = (rank - before as f64) / (count - before) as f64;
                return Some(low + ((bound - low) as f64 * inside).round() as u64);
            }
            (low, before) = (bound, count);
        }
        Some(low)
    }

    /// How many took longer than this, in microseconds; spread evenly inside a bucket, and rather
    /// fewer than more.
    #[must_use]
    pub fn slower_than(&self, us: u64) -> u64 {
        let all = self.all();
        let (mut low, mut before) = (0, 0);
        for (&bound, &count) in &self.0 {
            if us < bound {
                let inside = if bound == u64::MAX {
                    // Nobody knows how far beyond: all of them, if the limit is where it begins.
                    f64::from(u8::from(us > low))
                } else {
                    (us - low) as f64 / (bound - low) as f64
                };
                let faster = before as f64 + count.saturating_sub(before) as f64 * inside;
                return all.saturating_sub(faster.ceil() as u64);
            }
            (low, before) = (bound, count);
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency() -> Latency {
        Latency::new(BTreeMap::from([
            (100, 50),
            (1_000, 98),
            (5_000, 99),
            (u64::MAX, 100),
        ]))
    }

    #[test]
    fn a_share_is_sought_inside_its_bucket() {
        let us = |permille| latency().quantile_us(permille);
        assert_eq!(us(500), Some(100));
        assert_eq!(us(250), Some(50));
        assert_eq!(us(740), Some(550));
        assert_eq!(us(990), Some(5_000));
        assert_eq!(us(999), Some(5_000), "nobody knows how much longer");
        assert_eq!(Latency::default().quantile_us(990), None);
        let none = Latency::new(BTreeMap::from([(100, 0), (u64::MAX, 0)]));
        assert_eq!(none.quantile_us(990), None);
    }

    #[test]
    fn what_is_slower_is_counted_inside_its_bucket() {
        let slower = |us| latency().slower_than(us);
        assert_eq!(slower(0), 100);
        assert_eq!(slower(100), 50);
        assert_eq!(slower(550), 26);
        assert_eq!(slower(1_000), 2);
        assert_eq!(slower(5_000), 1);
        assert_eq!(slower(5_001), 0, "it may as well have been faster");
        assert_eq!(slower(u64::MAX), 0);
    }
}
