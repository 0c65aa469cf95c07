//! What is counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::http::StatusCode;

/// Upper bounds of the latency histogram's buckets, in milliseconds.
const BOUNDS_MS: [u64; 8] = [1, 3, 10, 30, 100, 300, 1_000, 10_000];

/// Answers by class of status, their latency, and who was too fast.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    classes: [AtomicU64; 6],
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
    took_us: AtomicU64,
    limited: AtomicU64,
}

impl Stats {
    pub(crate) fn answered(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).min(5);
        self.classes[class].fetch_add(1, Relaxed);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MS.iter().position(|bound| ms < *bound);
        self.buckets[bucket.unwrap_or(BOUNDS_MS.len())].fetch_add(1, Relaxed);
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.took_us.fetch_add(us, Relaxed);
    }

    pub(crate) fn limited(&self) {
        self.limited.fetch_add(1, Relaxed);
    }

    /// In OpenMetrics format.
    pub(crate) fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = "# TYPE gateway_requests counter\n".to_owned();
        // Writing to a String cannot fail.
        for (class, count) in self.classes.iter().enumerate().skip(1) {
            let count = count.load(Relaxed);
            let _ = writeln!(
                text,
                "gateway_requests_total{{status=\"{class}xx\"}} {count}"
            );
        }
        text.push_str("# TYPE gateway_limited counter\n");
        let _ = writeln!(text, "gateway_limited_total {}", self.limited.load(Relaxed));
        text.push_str("# TYPE gateway_latency_seconds histogram\n");
        let mut sum = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            sum += count.load(Relaxed);
            let bound = BOUNDS_MS.get(index).map_or_else(
                || "+Inf".to_owned(),
                |ms| format!("{}", Duration::from_millis(*ms).as_secs_f64()),
            );
            let _ = writeln!(
                text,
                "gateway_latency_seconds_bucket{{le=\"{bound}\"}} {sum}"
            );
        }
        let seconds = Duration::from_micros(self.took_us.load(Relaxed)).as_secs_f64();
        let _ = writeln!(text, "gateway_latency_seconds_sum {seconds}");
        let _ = writeln!(text, "gateway_latency_seconds_count {sum}");
        text
    }
}
