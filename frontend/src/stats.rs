//! What is counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::http::StatusCode;
use parking_lot::Mutex;

/// Upper bounds of the latency histogram's buckets, in milliseconds.
const BOUNDS_MS: [u64; 8] = [1, 3, 10, 30, 100, 300, 1_000, 10_000];

/// What a request is for. Few, and none of the caller's making: each is a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Route {
    /// The list of services, or what one can do.
    Describe,
    /// The OpenAPI document.
    Document,
    /// A call.
    Call,
    /// A stream.
    Stream,
    /// Nothing that there is.
    #[default]
    Other,
}

impl Route {
    /// What a request for this path is for, if anybody answers it.
    pub(crate) fn of(path: &str) -> Self {
        let names = path
            .strip_prefix("/v1/")
            .map(|rest| rest.split('/').count());
        match (path, names) {
            ("/v1", _) | (_, Some(1)) => Self::Describe,
            ("/openapi.json", _) => Self::Document,
            (_, Some(2)) => Self::Call,
            _ if path.starts_with("/api/internal/") => Self::Call,
            _ => Self::Other,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Document => "document",
            Self::Call => "call",
            Self::Stream => "stream",
            Self::Other => "other",
        }
    }
}

/// Why a request or a stream did not get what it wanted from the gateway itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The client is too fast.
    TooFast,
    /// It is not heard for a while.
    Banned,
    /// Too much is under way.
    NoPlace,
    /// The reader of a stream took nothing for too long.
    SlowReader,
}

const REFUSALS: [(Refusal, &str); 4] = [
    (Refusal::TooFast, "gateway_limited"),
    (Refusal::Banned, "gateway_banned"),
    (Refusal::NoPlace, "gateway_no_place"),
    (Refusal::SlowReader, "gateway_slow_readers"),
];

/// Answers by route and status, the latency of calls, and who was refused.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    answers: Mutex<BTreeMap<(Route, u16), u64>>,
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
    took_us: AtomicU64,
    refusals: [AtomicU64; REFUSALS.len()],
}

impl Stats {
    /// An answer went out. Streams have no latency: theirs is how long somebody listens.
    pub(crate) fn answered(&self, route: Route, status: StatusCode, took: Duration) {
        let answer = (route, status.as_u16());
        *self.answers.lock().entry(answer).or_default() += 1;
        if route != Route::Call {
            return;
        }
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MS.iter().position(|bound| us <= bound * 1_000);
        self.buckets[bucket.unwrap_or(BOUNDS_MS.len())].fetch_add(1, Relaxed);
        self.took_us.fetch_add(us, Relaxed);
    }

    pub(crate) fn refused(&self, why: Refusal) {
        self.refusals[why as usize].fetch_add(1, Relaxed);
    }

    /// In OpenMetrics format.
    pub(crate) fn text(&self) -> String {
        // Writing to a String cannot fail.
        let mut text = "# TYPE gateway_requests counter\n".to_owned();
        for ((route, status), count) in &*self.answers.lock() {
            let labels = format!("route=\"{}\",status=\"{status}\"", route.as_str());
            let _ = writeln!(text, "gateway_requests_total{{{labels}}} {count}");
        }
        for (why, name) in REFUSALS {
            let count = self.refusals[why as usize].load(Relaxed);
            let _ = writeln!(text, "# TYPE {name} counter\n{name}_total {count}");
        }
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

/// A gauge in OpenMetrics format.
pub(crate) fn gauge(name: &str, value: usize) -> String {
    format!("# TYPE {name} gauge\n{name} {value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_counts_where_its_name_says() {
        let stats = Stats::default();
        for (index, (why, _)) in REFUSALS.iter().enumerate() {
            assert_eq!(*why as usize, index);
            for _ in 0..=index {
                stats.refused(*why);
            }
        }
        let text = stats.text();
        for (index, (_, name)) in REFUSALS.iter().enumerate() {
            assert!(
                text.contains(&format!("{name}_total {}\n", index + 1)),
                "{text}"
            );
        }
    }

    #[test]
    fn latencies_are_of_calls_alone_and_buckets_add_up() {
        let stats = Stats::default();
        let ms = Duration::from_millis;
        stats.answered(Route::Call, StatusCode::OK, ms(1));
        stats.answered(Route::Call, StatusCode::OK, ms(2));
        stats.answered(Route::Call, StatusCode::GATEWAY_TIMEOUT, ms(20_000));
        stats.answered(Route::Stream, StatusCode::OK, ms(5));
        let text = stats.text();
        for line in [
            "gateway_requests_total{route=\"call\",status=\"200\"} 2",
            "gateway_requests_total{route=\"call\",status=\"504\"} 1",
            "gateway_requests_total{route=\"stream\",status=\"200\"} 1",
            "gateway_latency_seconds_bucket{le=\"0.001\"} 1",
            "gateway_latency_seconds_bucket{le=\"0.003\"} 2",
            "gateway_latency_seconds_bucket{le=\"10\"} 2",
            "gateway_latency_seconds_bucket{le=\"+Inf\"} 3",
            "gateway_latency_seconds_count 3",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
