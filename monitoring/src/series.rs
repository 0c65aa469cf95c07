//! The points of one series: the newest as they came, older ones by the minute, the oldest by ten.

use std::collections::VecDeque;

use monitoring::limits::{MINUTES, RAW_POINTS, TEN_MINUTES};

/// A minute, in milliseconds.
pub(crate) const MINUTE_MS: u64 = 60_000;
const TEN_MINUTES_MS: u64 = 600_000;

/// What was said in a span of time. 28 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    /// Its beginning, in spans since the epoch.
    pub(crate) number: u32,
    pub(crate) count: u32,
    pub(crate) least: f32,
    pub(crate) greatest: f32,
    /// As much as it can: counters are large, and their differences matter.
    pub(crate) sum: f64,
    pub(crate) last: f64,
}

impl Span {
    fn new(number: u32, value: f64) -> Self {
        Self {
            number,
            count: 1,
            least: value as f32,
            greatest: value as f32,
            sum: value,
            last: value,
        }
    }

    fn add(&mut self, value: f64) {
        self.count = self.count.saturating_add(1);
        self.least = self.least.min(value as f32);
        self.greatest = self.greatest.max(value as f32);
        self.sum += value;
        self.last = value;
    }
}

/// What was counted at a moment, or in a span that ended then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) at_ms: u64,
    pub(crate) last: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
    pub(crate) sum: f64,
    pub(crate) count: f64,
}

/// The points of one series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    raw: VecDeque<(u64, f64)>,
    minutes: VecDeque<Span>,
    tens: VecDeque<Span>,
}

impl Series {
    /// Adds a value. One that is older than the newest is left out.
    pub(crate) fn add(&mut self, at_ms: u64, value: f64) {
        if self.raw.back().is_some_and(|(newest, _)| *newest >= at_ms) {
            return;
        }
        push(&mut self.raw, RAW_POINTS, (at_ms, value));
        fold(&mut self.minutes, MINUTES, at_ms / MINUTE_MS, value);
        fold(&mut self.tens, TEN_MINUTES, at_ms / TEN_MINUTES_MS, value);
    }

    /// When something was said last.
    pub(crate) fn newest_ms(&self) -> Option<u64> {
        self.raw.back().map(|(at, _)| *at)
    }

    /// The last value.
    pub(crate) fn last(&self) -> Option<f64> {
        self.raw.back().map(|(_, value)| *value)
    }

    /// What is known after `from_ms` up to and with `to_ms`, as fine as it is still known.
    pub(crate) fn between(&self, from_ms: u64, to_ms: u64) -> Vec<Seen> {
        let first_raw = self.raw.front().map_or(u64::MAX, |(at, _)| *at);
        let first_minute = start_of(&self.minutes, MINUTE_MS);
        // Each moment from the finest that still has it.
        let tens = spans(&self.tens, TEN_MINUTES_MS).filter(|seen| seen.at_ms < first_minute);
        let minutes = spans(&self.minutes, MINUTE_MS).filter(|seen| seen.at_ms < first_raw);
        let raw = self.raw.iter().map(|(at_ms, value)| Seen {
            at_ms: *at_ms,
            last: *value,
            least: *value,
            greatest: *value,
            sum: *value,
            count: 1.0,
        });
        let wanted = |seen: &Seen| seen.at_ms > from_ms && seen.at_ms <= to_ms;
        tens.chain(minutes).chain(raw).filter(wanted).collect()
    }

    /// Bytes of points.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.raw.len() * 16 + (self.minutes.len() + self.tens.len()) * size_of::<Span>()
    }
}

fn push<T>(ring: &mut VecDeque<T>, max: usize, item: T) {
    if ring.len() >= max {
        ring.pop_front();
    }
    ring.push_back(item);
}

fn fold(spans: &mut VecDeque<Span>, max: usize, number: u64, value: f64) {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    match spans.back_mut().filter(|span| span.number == number) {
        Some(span) => span.add(value),
        None => push(spans, max, Span::new(number, value)),
    }
}

fn start_of(spans: &VecDeque<Span>, span_ms: u64) -> u64 {
    spans
        .front()
        .map_or(u64::MAX, |span| u64::from(span.number) * span_ms)
}

/// Spans as of their last moment.
fn spans(all: &VecDeque<Span>, span_ms: u64) -> impl Iterator<Item = Seen> {
    all.iter().map(move |span| Seen {
        at_ms: (u64::from(span.number) + 1) * span_ms - 1,
        last: span.last,
        least: f64::from(span.least),
        greatest: f64::from(span.greatest),
        sum: span.sum,
        count: f64::from(span.count),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_week_of_a_point_each_five_seconds_is_bounded_and_still_known() {
        let mut series = Series::default();
        let week = 7 * 24 * 60 * 60 * 1_000;
        let start = 1_700_000_000_000;
        for at in (start..start + week).step_by(5_000) {
            series.add(at, at as f64);
        }
        assert!(series.bytes() < 64_000, "{} bytes", series.bytes());
        let all = series.between(0, u64::MAX);
        assert!(all.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms));
        assert!(all[0].at_ms < start + TEN_MINUTES_MS * 2);
        assert_eq!(all.last().unwrap().at_ms, series.newest_ms().unwrap());
        let hour = series.between(start + week - 3_600_000, start + week);
        assert!(
            hour.len() > RAW_POINTS && hour.len() < RAW_POINTS + 60,
            "{}",
            hour.len()
        );
    }

    proptest! {
        #[test]
        fn spans_keep_least_greatest_sum_and_count(
            values in prop::collection::vec(-1_000_i32..1_000, 1..200),
        ) {
            let mut series = Series::default();
            for (n, value) in values.iter().enumerate() {
                series.add(n as u64 * 100, f64::from(*value));
            }
            let ten = series.tens[0];
            let expected: f64 = values.iter().map(|v| f64::from(*v)).sum();
            prop_assert_eq!(ten.sum, expected);
            prop_assert_eq!(ten.count as usize, values.len());
            let least = f64::from(*values.iter().min().unwrap());
            let greatest = f64::from(*values.iter().max().unwrap());
            prop_assert_eq!((f64::from(ten.least), f64::from(ten.greatest)), (least, greatest));
        }
    }
}
