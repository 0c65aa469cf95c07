//! Counters of each procedure, in a form that costs next to nothing to keep.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::service::Procedure;

/// Upper bounds of the latency buckets, in microseconds; one more bucket is open above.
const BUCKETS_US: [u64; 12] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000,
];

/// What happened to the calls of one procedure since the server started.
#[derive(Debug, Default)]
pub struct ProcedureStats {
    succeeded: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    latency_sum_us: AtomicU64,
    latency: [AtomicU64; BUCKETS_US.len() + 1],
}

impl ProcedureStats {
    pub(crate) fn finish(&self, succeeded: bool) {
        let counter = if succeeded {
            &self.succeeded
        } else {
            &self.failed
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.fetch_add(1, Relaxed);
    }

    /// Counts `calls` calls that took this long each.
    pub(crate) fn took(&self, each: Duration, calls: u64) {
        let us = u64::try_from(each.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.partition_point(|&bound| bound < us);
        self.latency[bucket].fetch_add(calls, Relaxed);
        self.latency_sum_us
            .fetch_add(us.saturating_mul(calls), Relaxed);
    }

    /// Calls that ended with a result.
    pub fn succeeded(&self) -> u64 {
        self.succeeded.load(Relaxed)
    }

    /// Calls that ended with an error.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Calls whose caller gave up.
    pub fn cancelled(&self) -> u64 {
        self.cancelled.load(Relaxed)
    }
}

/// Writes the counters of all procedures as OpenMetrics text.
pub(crate) fn render<'a>(
    procedures: impl Iterator<Item = (&'a Procedure, &'a ProcedureStats)> + Clone,
) -> String {
    let mut out = String::new();
    out.push_str("# TYPE rpc_calls counter\n# HELP rpc_calls Calls, by procedure and outcome.\n");
    for (procedure, stats) in procedures.clone() {
        let outcomes = [
            ("succeeded", stats.succeeded()),
            ("failed", stats.failed()),
            ("cancelled", stats.cancelled()),
        ];
        for (outcome, count) in outcomes {
            let (id, name) = (procedure.id, procedure.name);
            let labels = format!("id=\"{id}\",procedure=\"{name}\",outcome=\"{outcome}\"");
            // Writing to a String cannot fail.
            let _ = writeln!(out, "rpc_calls_total{{{labels}}} {count}");
        }
    }
    out.push_str("# TYPE rpc_latency_seconds histogram\n# UNIT rpc_latency_seconds seconds\n");
    out.push_str("# HELP rpc_latency_seconds Time from the arrival of a call to its result.\n");
    for (procedure, stats) in procedures {
        render_latency(&mut out, procedure, stats);
    }
    out
}

fn render_latency(out: &mut String, procedure: &Procedure, stats: &ProcedureStats) {
    let labels = format!("id=\"{}\",procedure=\"{}\"", procedure.id, procedure.name);
    let mut count = 0;
    for (i, bucket) in stats.latency.iter().enumerate() {
        count += bucket.load(Relaxed);
        let bound = BUCKETS_US
            .get(i)
            .map_or("+Inf".to_owned(), |us| seconds(*us));
        let _ = writeln!(
            out,
            "rpc_latency_seconds_bucket{{{labels},le=\"{bound}\"}} {count}"
        );
    }
    let sum = seconds(stats.latency_sum_us.load(Relaxed));
    let _ = writeln!(out, "rpc_latency_seconds_sum{{{labels}}} {sum}");
    let _ = writeln!(out, "rpc_latency_seconds_count{{{labels}}} {count}");
}

fn seconds(us: u64) -> String {
    format!("{}", us as f64 / 1e6)
}
