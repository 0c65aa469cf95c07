//! What is known, and how it changes: points, targets, rules, alerts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use monitoring::limits::RULES_MAX;
use monitoring::{AlertInfo, AlertState, Rule, reason};
use parking_lot::{Mutex, RwLock};
use rpc::{Code, Error};
use serde::Serialize;
use store::{EmbeddedStore, Op, Range, Store as _, Txn};
use tokio::sync::{broadcast, mpsc};

use crate::base::{Base, Labels};
use crate::log::Log;
use crate::query::query;
use crate::rules::Alerts;
use crate::scrape::Target;
use crate::webhook::Notice;

/// Changes of alerts that a slow watcher may be behind.
const WATCH_BEHIND: usize = 1_000;

/// Everything that is shared.
pub(crate) struct Engine {
    pub(crate) base: RwLock<Base>,
    pub(crate) targets: Mutex<BTreeMap<String, Target>>,
    pub(crate) series_max: usize,
    log: Mutex<Log>,
    store: EmbeddedStore,
    rules: RwLock<BTreeMap<String, Rule>>,
    alerts: Mutex<Alerts>,
    pub(crate) changes: broadcast::Sender<AlertInfo>,
    notices: mpsc::Sender<Notice>,
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

impl Engine {
    /// Recalls everything.
    pub(crate) async fn load(
        store: EmbeddedStore,
        points: &Path,
        series_max: usize,
        notices: mpsc::Sender<Notice>,
    ) -> Result<Self, Error> {
        let mut base = Base::new(series_max);
        let log = Log::open(points, now_ms(), |name, labels, at, value| {
            base.add(name, labels, at, value);
        });
        let log = log.map_err(|e| {
            let message = format!("failed to read the points in {}: {e}", points.display());
            Error::internal(reason::STORE_FAILED, message)
        })?;
        let rules = recall::<Rule>(&store, "rule/").await?;
        let alerts = recall::<AlertInfo>(&store, "alert/").await?;
        Ok(Self {
            base: RwLock::new(base),
            targets: Mutex::default(),
            series_max,
            log: Mutex::new(log),
            store,
            rules: RwLock::new(
                rules
                    .into_iter()
                    .map(|rule| (rule.name.clone(), rule))
                    .collect(),
            ),
            alerts: Mutex::new(Alerts::recalled(alerts.into_iter())),
            changes: broadcast::Sender::new(WATCH_BEHIND),
            notices,
        })
    }

    /// Takes points in, on disk first; how many there was room for.
    pub(crate) fn take(
        &self,
        at_ms: u64,
        points: &[(String, Labels, f64)],
    ) -> Result<usize, Error> {
        let written = self.log.lock().write(at_ms, points);
        written.map_err(|e| Error::internal(reason::STORE_FAILED, format!("points: {e}")))?;
        let mut base = self.base.write();
        let mut taken = 0;
        for (name, labels, value) in points.iter().filter(|(_, _, value)| value.is_finite()) {
            taken += usize::from(base.add(name, labels, at_ms, *value));
        }
        Ok(taken)
    }

    /// What this service itself counts, in OpenMetrics format.
    pub(crate) fn metrics(&self) -> String {
        let base = self.base.read();
        let (series, left_out) = (base.len(), base.left_out());
        format!(
            "# TYPE monitoring_series gauge\nmonitoring_series {series}\n\
             # TYPE monitoring_left_out counter\nmonitoring_left_out_total {left_out}\n"
        )
    }

    /// Has the disk keep what was written.
    pub(crate) fn sync(&self) {
        if let Err(error) = self.log.lock().sync() {
            tracing::warn!(%error, "the newest points are not safe from a power failure");
        }
    }

    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.rules.read().values().cloned().collect()
    }

    pub(crate) fn alerts(&self) -> Vec<AlertInfo> {
        self.alerts.lock().list()
    }

    pub(crate) async fn set_rule(&self, rule: Rule) -> Result<(), Error> {
        let known = self.rules.read().contains_key(&rule.name);
        if !known && self.rules.read().len() >= RULES_MAX {
            let message = format!("there may be at most {RULES_MAX} rules");
            return Err(
                Error::new(Code::ResourceExhausted, reason::TOO_MANY, message)
                    .with_hint("delete some that nobody needs"),
            );
        }
        let put = Op::put(format!("rule/{}", rule.name), json(&rule)?);
        self.commit(vec![put]).await?;
        self.rules.write().insert(rule.name.clone(), rule);
        Ok(())
    }

    pub(crate) async fn delete_rule(&self, name: &str) -> Result<(), Error> {
        let alerts = self.alerts().into_iter().filter(|a| a.rule == name);
        let mut ops: Vec<Op> = alerts.map(|alert| Op::delete(key(&alert))).collect();
        ops.push(Op::delete(format!("rule/{name}")));
        self.commit(ops).await?;
        self.rules.write().remove(name);
        self.alerts.lock().keep(|other| other != name);
        Ok(())
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<(), Error> {
        let committed = self.store.commit(Txn::of(ops)).await;
        committed.map(drop).map_err(|e| {
            Error::new(Code::Unavailable, reason::STORE_FAILED, e.to_string())
                .with_hint("look at the log of monitoring, and at its disk")
        })
    }

    /// Looks at every rule, remembers what fires, and tells whoever wants to know.
    pub(crate) async fn judge(&self, now_ms: u64) {
        for rule in self.rules() {
            let asked = query(&self.base.read(), &rule.query, now_ms);
            let reply = match asked {
                Ok(reply) => reply,
                Err(error) => {
                    tracing::warn!(rule = rule.name, %error, "the rule cannot be looked at");
                    continue;
                }
            };
            let groups = reply.series.into_iter();
            let groups: Vec<(Labels, f64)> = groups
                .filter_map(|series| Some((series.labels, series.points.last()?.value)))
                .collect();
            // What fires is on disk before anybody sees it: a restart tells nothing else.
            let mut alerts = self.alerts.lock().clone();
            let changed = alerts.judge(&rule, &groups, now_ms);
            for alert in &changed {
                self.remember(alert).await;
            }
            let rules = self.rules.read();
            alerts.keep(|name| rules.contains_key(name));
            *self.alerts.lock() = alerts;
            drop(rules);
            for alert in changed {
                self.tell(&rule, alert);
            }
        }
    }

    async fn remember(&self, alert: &AlertInfo) {
        let op = match alert.state {
            AlertState::Firing => json(alert).map(|bytes| Op::put(key(alert), bytes)),
            _ => Ok(Op::delete(key(alert))),
        };
        let kept = match op {
            Ok(op) => self.commit(vec![op]).await,
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "an alert may be told again after a restart");
        }
    }

    fn tell(&self, rule: &Rule, alert: AlertInfo) {
        if alert.state != AlertState::Pending && !rule.webhook.is_empty() {
            let notice = Notice {
                webhook: rule.webhook.clone(),
                alert: alert.clone(),
            };
            if self.notices.try_send(notice).is_err() {
                tracing::warn!(
                    rule = rule.name,
                    "too many alerts wait to be told; one is not"
                );
            }
        }
        // Nobody may be watching.
        let _ = self.changes.send(alert);
    }
}

/// Where an alert that fires is kept.
fn key(alert: &AlertInfo) -> String {
    format!("alert/{}/{}", alert.rule, text(&alert.labels))
}

fn text(labels: &Labels) -> String {
    let pairs = labels.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))
}

async fn recall<T: serde::de::DeserializeOwned>(
    store: &EmbeddedStore,
    prefix: &'static str,
) -> Result<Vec<T>, Error> {
    let all = store
        .range(Range::prefix(Bytes::from_static(prefix.as_bytes())))
        .await;
    let all = all.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?;
    let read = |kv: &store::KeyValue| {
        serde_json::from_slice(&kv.value).map_err(|e| {
            let key = String::from_utf8_lossy(&kv.key);
            Error::internal(
                reason::STORE_FAILED,
                format!("the record {key} cannot be read: {e}"),
            )
        })
    };
    all.items.iter().map(read).collect()
}
