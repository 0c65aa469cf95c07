//! What travels.

use std::collections::BTreeMap;

use rpc::{Deserializable, Serializable};

/// One value of one series.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct Sample {
    /// As in `jobs_waiting`.
    pub name: String,
    /// What else says which series it is.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How much.
    pub value: f64,
}

/// Adds samples, of now.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct ReportArgs {
    /// At most 10,000.
    pub samples: Vec<Sample>,
}

/// Samples are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ReportReply {
    /// How many.
    pub taken: u64,
    /// How many were left out because there are as many series as there may be.
    pub left_out: u64,
}

/// A job is alive.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct HeartbeatArgs {
    /// Which.
    pub job: String,
}

/// How a label has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// It is this.
    Equal,
    /// It is not this (or not there).
    NotEqual,
    /// It begins so.
    Prefix,
}

/// One condition on the labels of a series.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Matcher {
    /// The label.
    pub label: String,
    /// How
    pub is: Match,
    /// to be.
    pub value: String,
}

/// What is made of the points of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// The last value.
    Last,
    /// The mean over the window.
    Mean,
    /// The least value in the window.
    Least,
    /// The greatest value in the window.
    Greatest,
    /// By how much a counter grew in the window; a restart of what counts is no loss.
    Increase,
    /// The same, for each second.
    Rate,
    /// Of the `_bucket` series of a histogram: below this value lies this share (0 to 1) of what
    /// was counted in the window.
    Quantile(f64),
}

/// Asks for series over time.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct QueryArgs {
    /// The name.
    pub name: String,
    /// Conditions on labels; all have to hold.
    #[serde(default)]
    pub matchers: Vec<Matcher>,
    /// What is made of the points.
    pub function: Function,
    /// How far a function looks back, in milliseconds; 0 is one minute.
    #[serde(default)]
    pub window_ms: u64,
    /// The first moment, in milliseconds since the Unix epoch; 0 is `to`.
    #[serde(default)]
    pub from_ms: u64,
    /// The last moment; 0 is now.
    #[serde(default)]
    pub to_ms: u64,
    /// From one moment to the next, in milliseconds; 0 is ten seconds.
    #[serde(default)]
    pub step_ms: u64,
    /// Add up what has the same values of these labels; each series by itself if absent.
    #[serde(default)]
    pub sum_by: Option<Vec<String>>,
}

impl QueryArgs {
    /// What it is now.
    #[must_use]
    pub fn now(name: &str, function: Function) -> Self {
        Self {
            name: name.to_owned(),
            matchers: Vec::new(),
            function,
            window_ms: 0,
            from_ms: 0,
            to_ms: 0,
            step_ms: 0,
            sum_by: None,
        }
    }

    /// Only where this label has this value.
    #[must_use]
    pub fn equal(mut self, label: &str, value: &str) -> Self {
        self.matchers.push(Matcher {
            label: label.to_owned(),
            is: Match::Equal,
            value: value.to_owned(),
        });
        self
    }

    /// Added up by these labels.
    #[must_use]
    pub fn by(mut self, labels: &[&str]) -> Self {
        self.sum_by = Some(labels.iter().map(|label| (*label).to_owned()).collect());
        self
    }
}

/// One moment of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serializable, Deserializable)]
pub struct Point {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// How much.
    pub value: f64,
}

/// A series over time.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct SeriesReply {
    /// Which.
    pub labels: BTreeMap<String, String>,
    /// Moments at which something is known.
    pub points: Vec<Point>,
}

/// Series over time.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct QueryReply {
    /// By labels.
    pub series: Vec<SeriesReply>,
    /// Whether there were more than an answer may have (1,000).
    pub cut: bool,
}

/// Asks who answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct HealthArgs {
    /// Only of this service.
    #[serde(default)]
    pub service: Option<String>,
}

/// How one instance is.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct InstanceHealth {
    /// Its service.
    pub service: String,
    /// Which.
    pub instance: String,
    /// Its version.
    pub version: String,
    /// Whether it answered when it was asked last.
    pub up: bool,
    /// Since when that is so, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// When it was asked last.
    pub asked_ms: u64,
    /// Why it did not answer; empty if it did.
    pub why: String,
    /// Calls a second in the last minute, built-in procedures included.
    pub calls_per_second: f64,
    /// How many of a thousand calls failed.
    pub errors_permille: f64,
    /// 99 of 100 calls took no longer than this, in milliseconds.
    pub p99_ms: Option<f64>,
}

/// How the fleet is.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct HealthReply {
    /// By service and instance; also those that left within the last minute.
    pub instances: Vec<InstanceHealth>,
    /// How many answer.
    pub up: u64,
    /// How many series there are, and how many there may be.
    pub series: u64,
    /// How many there may be.
    pub series_max: u64,
}

/// When a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A value lies above this.
    Above(f64),
    /// A value lies below this.
    Below(f64),
    /// The query gives nothing.
    Absent,
}

/// What should be so.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What is looked at: as it is now; `from_ms`, `to_ms` and `step_ms` are not read.
    pub query: QueryArgs,
    /// When it is broken.
    pub condition: Condition,
    /// For how long it must be broken before an alert fires, in milliseconds.
    #[serde(default)]
    pub for_ms: u64,
    /// As in `page` or `ticket`; for whoever is told.
    #[serde(default)]
    pub severity: String,
    /// Where alerts are told, as in `http://127.0.0.1:9000/alerts`; nowhere if empty. What is sent
    /// has the form of Prometheus' Alertmanager.
    #[serde(default)]
    pub webhook: String,
}

/// Removes a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DeleteRuleArgs {
    /// Its name.
    pub name: String,
}

/// How far an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// The rule is broken, not for long enough yet.
    Pending,
    /// The rule is broken.
    Firing,
    /// It was, and is not any more.
    Resolved,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct AlertInfo {
    /// The rule that is broken.
    pub rule: String,
    /// For which group of its query.
    pub labels: BTreeMap<String, String>,
    /// How far it is.
    pub state: AlertState,
    /// Since when, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// The value that broke it; absent if there is none.
    pub value: Option<f64>,
    /// In words.
    pub why: String,
    /// As the rule says.
    pub severity: String,
}

/// All rules, and what is wrong.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct AlertsReply {
    /// By name.
    pub rules: Vec<Rule>,
    /// By rule and labels.
    pub alerts: Vec<AlertInfo>,
}

/// Asks for names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct NamesArgs {
    /// The values of this label of the series `name`; the names of all series if absent.
    #[serde(default)]
    pub label: Option<String>,
    /// Of this series; of all if empty.
    #[serde(default)]
    pub name: String,
}

/// Names.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct NamesReply {
    /// In order.
    pub names: Vec<String>,
}
