//! How long durable writes took, for [`Status`](crate::Status).

use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use crate::Latency;

/// The longest write that is told apart from longer ones, in microseconds.
const MAX_US: u64 = 60_000_000;

/// Every write since the store was opened.
pub(crate) struct Latencies(Mutex<Histogram<u64>>);

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_max(MAX_US, 2).expect("the bounds are valid");
        Self(Mutex::new(histogram))
    }
}

impl Latencies {
    pub(crate) fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(MAX_US);
        self.0.lock().saturating_record(micros.max(1));
    }

    pub(crate) fn seen(&self) -> Latency {
        let seen = self.0.lock();
        Latency {
            count: seen.len(),
            p50_us: seen.value_at_quantile(0.50),
            p99_us: seen.value_at_quantile(0.99),
            max_us: seen.max(),
        }
    }
}
