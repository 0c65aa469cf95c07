//! How the older and the newer version answer, read from the instances themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use rollout::{Latency, Stats};
use rpc::{BuiltinClient, CallOptions, Channel, Empty};
use scheduling::InstanceInfo;
use tokio::task::JoinSet;

/// Procedures up to this number are built into every server; what they answer says nothing.
const BUILTIN_MAX: u32 = 99;
/// How long an instance may take to say how it is.
const PATIENCE: Duration = Duration::from_millis(500);

/// What an instance has counted since it started.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    calls: u64,
    errors: u64,
    /// Calls that took no longer than a bound in microseconds; `u64::MAX` is all.
    latency: BTreeMap<u64, u64>,
}

/// What was counted when a step began, by instance.
#[derive(Debug, Default)]
pub(crate) struct Baseline(BTreeMap<String, Counts>);

/// Ways to the instances that were asked before.
#[derive(Debug, Default)]
pub(crate) struct Signals(BTreeMap<String, Channel>);

impl Signals {
    /// Asks all of these instances, all at once. Who does not answer in time is left out.
    pub(crate) async fn ask(&mut self, instances: &[InstanceInfo]) -> BTreeMap<String, Counts> {
        let mut asking = JoinSet::new();
        let mut ways = BTreeMap::new();
        for instance in instances {
            let address = instance.address.as_ref().and_then(|text| text.parse().ok());
            let Some(address) = address else { continue };
            let id = instance.id.clone();
            let way = self.0.remove(&id).unwrap_or_else(|| Channel::to(address));
            ways.insert(id.clone(), way.clone());
            asking.spawn(async move {
                let options = CallOptions {
                    timeout: Some(PATIENCE),
                    ..CallOptions::default()
                };
                let builtin = BuiltinClient::new(way).with(options);
                let answer = builtin.metrics(&Empty {}).await.ok()?;
                Some((id, read(&answer.text)))
            });
        }
        // Those that are gone are forgotten here.
        self.0 = ways;
        let mut all = BTreeMap::new();
        while let Some(asked) = asking.join_next().await {
            all.extend(asked.ok().flatten());
        }
        all
    }
}

impl Baseline {
    /// From now on only what comes counts.
    pub(crate) fn begin(&mut self, now: BTreeMap<String, Counts>) {
        self.0 = now;
    }

    /// What these instances have counted since then, together. One that was not there then has
    /// counted everything since.
    pub(crate) fn since<'a>(
        &self,
        now: &BTreeMap<String, Counts>,
        instances: impl Iterator<Item = &'a InstanceInfo>,
    ) -> Stats {
        let (mut stats, mut latency) = (Stats::default(), BTreeMap::<u64, u64>::new());
        let nothing = Counts::default();
        for instance in instances {
            let Some(counts) = now.get(&instance.id) else {
                continue;
            };
            let before = self.0.get(&instance.id).unwrap_or(&nothing);
            stats.calls += counts.calls.saturating_sub(before.calls);
            stats.errors += counts.errors.saturating_sub(before.errors);
            for (bound, count) in &counts.latency {
                let before = before.latency.get(bound).copied().unwrap_or(0);
                *latency.entry(*bound).or_default() += count.saturating_sub(before);
            }
        }
        stats.latency = Latency::new(latency);
        stats
    }
}

/// Reads what rpc's servers say in OpenMetrics text.
pub(crate) fn read(text: &str) -> Counts {
    let mut counts = Counts::default();
    for line in text.lines() {
        let Some((name, rest)) = line.split_once('{') else {
            continue;
        };
        let Some((labels, value)) = rest.split_once("} ") else {
            continue;
        };
        let label = |wanted: &str| {
            labels.split(',').find_map(|label| {
                let (name, value) = label.split_once('=')?;
                (name == wanted).then(|| value.trim_matches('"'))
            })
        };
        let own = label("id").and_then(|id| id.parse::<u32>().ok());
        if own.is_none_or(|id| id <= BUILTIN_MAX) {
            continue;
        }
        let Ok(value) = value.trim().parse::<f64>() else {
            continue;
        };
        let value = value as u64;
        match (name, label("outcome"), label("le")) {
            ("rpc_calls_total", Some("succeeded"), _) => counts.calls += value,
            ("rpc_calls_total", Some("failed"), _) => {
                counts.calls += value;
                counts.errors += value;
            }
            ("rpc_latency_seconds_bucket", _, Some(bound)) => {
                let us = bound
                    .parse::<f64>()
                    .map_or(u64::MAX, |seconds| (seconds * 1e6) as u64);
                *counts.latency.entry(us).or_default() += value;
            }
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# TYPE rpc_calls counter
rpc_calls_total{id="1",procedure="health",outcome="failed"} 9
rpc_calls_total{id="101",procedure="echo",outcome="succeeded"} 98
rpc_calls_total{id="101",procedure="echo",outcome="failed"} 2
rpc_calls_total{id="101",procedure="echo",outcome="cancelled"} 5
rpc_latency_seconds_bucket{id="101",procedure="echo",le="0.00005"} 50
rpc_latency_seconds_bucket{id="101",procedure="echo",le="0.001"} 99
rpc_latency_seconds_bucket{id="101",procedure="echo",le="+Inf"} 100
rpc_connections 3
nonsense{ } x
"#;

    #[test]
    fn own_procedures_are_counted_and_built_in_ones_are_not() {
        let counts = read(TEXT);
        assert_eq!((counts.calls, counts.errors), (100, 2));
        let all = BTreeMap::from([(50, 50), (1_000, 99), (u64::MAX, 100)]);
        assert_eq!(counts.latency, all);
    }

    #[test]
    fn only_what_came_since_counts() {
        let instance = InstanceInfo {
            id: "echo.0.1".to_owned(),
            service: "echo".to_owned(),
            index: 0,
            generation: 1,
            state: scheduling::InstanceState::Healthy,
            node: None,
            address: None,
            port: None,
            pid: None,
            attempt: 1,
            since_ms: 0,
            healthy_since_ms: None,
            spec_revision: 1,
            reason: String::new(),
            failure: None,
            last_lines: Vec::new(),
        };
        let now = BTreeMap::from([("echo.0.1".to_owned(), read(TEXT))]);
        let mut baseline = Baseline::default();
        assert_eq!(baseline.since(&now, std::iter::once(&instance)).calls, 100);
        baseline.begin(now.clone());
        let nothing = baseline.since(&now, std::iter::once(&instance));
        assert_eq!((nothing.calls, nothing.p99_us()), (0, None));
    }
}
