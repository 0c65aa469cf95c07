//! How much of everything there may be.

/// Points of a series as they came: a quarter of an hour at one in five seconds.
pub const RAW_POINTS: usize = 180;
/// Minutes of a series.
pub const MINUTES: usize = 360;
/// Spans of ten minutes of a series: a week.
pub const TEN_MINUTES: usize = 1_008;
/// Labels of a sample.
pub const LABELS_MAX: usize = 16;
/// The longest name, label or label's value, in bytes.
pub const TEXT_BYTES_MAX: usize = 200;
/// Samples in one report.
pub const SAMPLES_MAX: usize = 10_000;
/// Series in one answer.
pub const SERIES_REPLY_MAX: usize = 1_000;
/// Points of each series in one answer.
pub const POINTS_REPLY_MAX: u64 = 2_000;
/// Rules.
pub const RULES_MAX: usize = 200;
/// Alerts of one rule: one for each group that its query gives.
pub const ALERTS_PER_RULE_MAX: usize = 100;
/// The longest body of an instance's metrics that is read, in bytes.
pub const METRICS_BYTES_MAX: usize = 2 << 20;
