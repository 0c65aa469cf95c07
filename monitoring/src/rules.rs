//! Alerts: what is wrong, since when, and whether anybody has to be told. Time is an argument.

use std::collections::BTreeMap;

use monitoring::limits::ALERTS_PER_RULE_MAX;
use monitoring::{AlertInfo, AlertState, Condition, Rule};

use crate::base::Labels;

/// How long an alert that is over is shown.
const RESOLVED_MS: u64 = 15 * 60_000;

/// The alerts of all rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alerts(BTreeMap<(String, Labels), AlertInfo>);

impl Alerts {
    /// With what was firing before a restart: nobody is told of it twice.
    pub(crate) fn recalled(alerts: impl Iterator<Item = AlertInfo>) -> Self {
        let keyed = alerts.map(|alert| ((alert.rule.clone(), alert.labels.clone()), alert));
        Self(keyed.collect())
    }

    pub(crate) fn list(&self) -> Vec<AlertInfo> {
        self.0.values().cloned().collect()
    }

    /// A rule that is gone has no alerts.
    pub(crate) fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _), _| is_there(name));
    }

    /// Takes in what a rule's query gives now, and returns the alerts whose state changed.
    pub(crate) fn judge(
        &mut self,
        rule: &Rule,
        groups: &[(Labels, f64)],
        now_ms: u64,
    ) -> Vec<AlertInfo> {
        let broken = broken(rule, groups);
        let mut changed = Vec::new();
        for (labels, (value, why)) in &broken {
            if let Some(alert) = self.goes_on(rule, labels, *value, why, now_ms) {
                changed.push(alert);
            }
        }
        let of_rule = |key: &&(String, Labels)| key.0 == rule.name;
        let keys: Vec<(String, Labels)> = self.0.keys().filter(of_rule).cloned().collect();
        for key in keys {
            if !broken.contains_key(&key.1)
                && let Some(alert) = self.ends(&key, now_ms)
            {
                changed.push(alert);
            }
        }
        changed
    }

    fn goes_on(
        &mut self,
        rule: &Rule,
        labels: &Labels,
        value: Option<f64>,
        why: &str,
        now_ms: u64,
    ) -> Option<AlertInfo> {
        let key = (rule.name.clone(), labels.clone());
        let fresh = AlertInfo {
            rule: rule.name.clone(),
            labels: labels.clone(),
            state: AlertState::Pending,
            since_ms: now_ms,
            value,
            why: why.to_owned(),
            severity: rule.severity.clone(),
        };
        let known = self
            .0
            .get(&key)
            .filter(|alert| alert.state != AlertState::Resolved);
        let mut alert = known.cloned().unwrap_or_else(|| fresh.clone());
        let before = known.map(|alert| alert.state);
        alert.value = value;
        alert.why = why.to_owned();
        let long_enough = now_ms.saturating_sub(alert.since_ms) >= rule.for_ms;
        if alert.state == AlertState::Pending && long_enough {
            alert.state = AlertState::Firing;
            alert.since_ms = now_ms;
        }
        let changed = before != Some(alert.state);
        self.0.insert(key, alert.clone());
        changed.then_some(alert)
    }

    fn ends(&mut self, key: &(String, Labels), now_ms: u64) -> Option<AlertInfo> {
        let alert = self.0.get_mut(key)?;
        match alert.state {
            AlertState::Firing => {
                alert.state = AlertState::Resolved;
                alert.since_ms = now_ms;
                return Some(alert.clone());
            }
            AlertState::Resolved if now_ms.saturating_sub(alert.since_ms) < RESOLVED_MS => {}
            _ => drop(self.0.remove(key)),
        }
        None
    }
}

/// The groups for which a rule is broken, with the value and why.
fn broken(rule: &Rule, groups: &[(Labels, f64)]) -> BTreeMap<Labels, (Option<f64>, String)> {
    let name = &rule.query.name;
    if rule.condition == Condition::Absent {
        let why = format!("there is no {name}");
        let broken = groups.is_empty().then(|| (Labels::new(), (None, why)));
        return broken.into_iter().collect();
    }
    let holds = |value: f64| match rule.condition {
        Condition::Above(threshold) => {
            (value > threshold).then(|| format!("{name} is {value}, above {threshold}"))
        }
        Condition::Below(threshold) => {
            (value < threshold).then(|| format!("{name} is {value}, below {threshold}"))
        }
        Condition::Absent => None,
    };
    let broken = groups
        .iter()
        .filter_map(|(labels, value)| Some((labels.clone(), (Some(*value), holds(*value)?))));
    broken.take(ALERTS_PER_RULE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use monitoring::{Function, QueryArgs};

    use super::*;

    fn rule(condition: Condition, for_ms: u64) -> Rule {
        Rule {
            name: "r".to_owned(),
            query: QueryArgs::now("load", Function::Last),
            condition,
            for_ms,
            severity: "page".to_owned(),
            webhook: String::new(),
        }
    }

    fn group(instance: &str, value: f64) -> (Labels, f64) {
        (
            Labels::from([("instance".to_owned(), instance.to_owned())]),
            value,
        )
    }

    fn states(alerts: &[AlertInfo]) -> Vec<AlertState> {
        alerts.iter().map(|alert| alert.state).collect()
    }

    #[test]
    fn it_is_pending_then_fires_then_is_resolved_and_each_is_told_once() {
        let (mut alerts, rule) = (Alerts::default(), rule(Condition::Above(1.0), 100));
        let mut at = |value, now| states(&alerts.judge(&rule, &[group("a", value)], now));
        assert_eq!(at(1.0, 0), []);
        assert_eq!(at(2.0, 10), [AlertState::Pending]);
        assert_eq!(at(2.0, 109), []);
        assert_eq!(at(2.0, 110), [AlertState::Firing]);
        assert_eq!(at(3.0, 120), []);
        assert_eq!(at(1.0, 130), [AlertState::Resolved]);
        assert_eq!(at(1.0, 140), []);
        assert_eq!(at(2.0, 150), [AlertState::Pending]);
    }

    #[test]
    fn what_was_broken_for_a_moment_only_never_fires() {
        let (mut alerts, rule) = (Alerts::default(), rule(Condition::Below(1.0), 100));
        for now in [0, 50, 200, 250] {
            let value = if now % 100 == 0 { 0.0 } else { 1.0 };
            let told = alerts.judge(&rule, &[group("a", value)], now);
            assert!(!states(&told).contains(&AlertState::Firing));
        }
    }

    #[test]
    fn each_group_has_an_alert_of_its_own_and_one_that_leaves_is_resolved() {
        let (mut alerts, rule) = (Alerts::default(), rule(Condition::Above(1.0), 0));
        let told = alerts.judge(
            &rule,
            &[group("a", 2.0), group("b", 0.0), group("c", 2.0)],
            0,
        );
        assert_eq!(states(&told), [AlertState::Firing, AlertState::Firing]);
        let told = alerts.judge(&rule, &[group("c", 2.0)], 1);
        assert_eq!(states(&told), [AlertState::Resolved]);
        assert_eq!(told[0].labels["instance"], "a");
        alerts.keep(|name| name != "r");
        assert!(alerts.list().is_empty());
    }

    #[test]
    fn absence_is_one_alert() {
        let (mut alerts, rule) = (Alerts::default(), rule(Condition::Absent, 0));
        assert_eq!(states(&alerts.judge(&rule, &[], 0)), [AlertState::Firing]);
        assert_eq!(
            states(&alerts.judge(&rule, &[group("a", 1.0)], 1)),
            [AlertState::Resolved]
        );
    }

    #[test]
    fn what_fired_before_a_restart_is_not_told_again() {
        let (mut alerts, rule) = (Alerts::default(), rule(Condition::Absent, 0));
        alerts.judge(&rule, &[], 0);
        let mut again = Alerts::recalled(alerts.list().into_iter());
        assert_eq!(states(&again.judge(&rule, &[], 5)), []);
    }
}
