//! How a service answers, by instance and by version: what whoever rolls out a version looks at.

use std::collections::BTreeMap;
use std::time::Duration;

use rpc::Error;

use crate::{Function, Match, Matcher, MonitoringClient, QueryArgs, SeriesReply};

/// The built-in procedures of every server: what they answer says nothing about a version.
const BUILT_IN: [&str; 4] = ["1", "2", "3", "4"];

/// The calls of one instance, or of all instances of one version, in a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallStats {
    /// Calls that ended; those that their callers gave up are not among them.
    pub calls: f64,
    /// How many of them failed.
    pub errors: f64,
    /// Half of them took no longer than this, in milliseconds. Absent if there were none.
    pub p50_ms: Option<f64>,
    /// 99 of 100 took no longer than this, in milliseconds.
    pub p99_ms: Option<f64>,
}

impl CallStats {
    /// The share of calls that failed, 0 to 1; 0 if there were none.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        if self.calls > 0.0 {
            self.errors / self.calls
        } else {
            0.0
        }
    }
}

/// How a service answered in a window. Built-in procedures are not counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceStats {
    /// By version and instance.
    pub instances: BTreeMap<(String, String), CallStats>,
    /// By version.
    pub versions: BTreeMap<String, CallStats>,
}

impl MonitoringClient {
    /// How a service answered in the last `window`, by instance and by version. Who was not called
    /// is not in it. What happened since the last scrape, at most an interval ago, is not seen yet.
    ///
    /// # Errors
    /// Those of `query`.
    pub async fn service_stats(
        &self,
        service: &str,
        window: Duration,
    ) -> Result<ServiceStats, Error> {
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let about = |name, function, by: &[&str]| {
            let mut args = QueryArgs::now(name, function)
                .equal("service", service)
                .by(by);
            args.window_ms = window_ms;
            args.matchers.extend(BUILT_IN.map(not_built_in));
            args
        };
        let by_instance = ["version", "instance"];
        let by_outcome = ["version", "instance", "outcome"];
        let counted = about("rpc_calls_total", Function::Increase, &by_outcome);
        let mut stats = ServiceStats::default();
        for series in self.query(&counted).await?.series {
            stats.count(&series);
        }
        for (share, by) in [(0.5, &by_instance[..]), (0.5, &by_instance[..1])]
            .into_iter()
            .chain([(0.99, &by_instance[..]), (0.99, &by_instance[..1])])
        {
            let args = about("rpc_latency_seconds_bucket", Function::Quantile(share), by);
            for series in self.query(&args).await?.series {
                stats.time(&series, share);
            }
        }
        Ok(stats)
    }
}

fn not_built_in(id: &str) -> Matcher {
    Matcher {
        label: "id".to_owned(),
        is: Match::NotEqual,
        value: id.to_owned(),
    }
}

impl ServiceStats {
    fn count(&mut self, series: &SeriesReply) {
        let Some(point) = series.points.last().filter(|point| point.value > 0.0) else {
            return;
        };
        let errors = match series.labels.get("outcome").map(String::as_str) {
            Some("succeeded") => 0.0,
            Some("failed") => point.value,
            _ => return,
        };
        let (version, instance) = (label(series, "version"), label(series, "instance"));
        let of_version = self.versions.entry(version.clone()).or_default();
        let of_instance = self.instances.entry((version, instance)).or_default();
        for stats in [of_version, of_instance] {
            stats.calls += point.value;
            stats.errors += errors;
        }
    }

    fn time(&mut self, series: &SeriesReply, share: f64) {
        let version = label(series, "version");
        let stats = match series.labels.get("instance") {
            Some(instance) => self.instances.get_mut(&(version, instance.clone())),
            None => self.versions.get_mut(&version),
        };
        let ms = series.points.last().map(|point| point.value * 1_000.0);
        if let Some(stats) = stats {
            let place = if share < 0.9 {
                &mut stats.p50_ms
            } else {
                &mut stats.p99_ms
            };
            *place = ms;
        }
    }
}

fn label(series: &SeriesReply, name: &str) -> String {
    series.labels.get(name).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Point;

    fn series(labels: &[(&str, &str)], value: f64) -> SeriesReply {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        SeriesReply {
            labels: labels.collect(),
            points: vec![Point { at_ms: 1, value }],
        }
    }

    #[test]
    fn a_version_is_the_sum_of_its_instances_and_who_was_not_called_is_not_there() {
        let mut stats = ServiceStats::default();
        for (version, instance, outcome, value) in [
            ("1", "a", "succeeded", 90.0),
            ("1", "a", "failed", 10.0),
            ("1", "b", "succeeded", 100.0),
            ("1", "b", "cancelled", 7.0),
            ("2", "c", "succeeded", 0.0),
        ] {
            stats.count(&series(
                &[
                    ("version", version),
                    ("instance", instance),
                    ("outcome", outcome),
                ],
                value,
            ));
        }
        stats.time(&series(&[("version", "1")], 0.002), 0.5);
        stats.time(&series(&[("version", "1"), ("instance", "a")], 0.5), 0.99);
        stats.time(&series(&[("version", "2")], 0.5), 0.99);
        assert_eq!(stats.versions.len(), 1);
        let one = &stats.versions["1"];
        assert_eq!((one.calls, one.errors), (200.0, 10.0));
        assert_eq!(one.error_rate(), 0.05);
        assert_eq!((one.p50_ms, one.p99_ms), (Some(2.0), None));
        let a = &stats.instances[&("1".to_owned(), "a".to_owned())];
        assert_eq!((a.error_rate(), a.p99_ms), (0.1, Some(500.0)));
        assert_eq!(CallStats::default().error_rate(), 0.0);
    }
}
