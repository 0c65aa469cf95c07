//! All series, by name and labels.

use std::collections::BTreeMap;

use monitoring::limits::SERIES_REPLY_MAX;
use monitoring::{Match, Matcher};

use crate::series::Series;

/// Which series: labels in order.
pub(crate) type Labels = BTreeMap<String, String>;

/// All series.
#[derive(Debug)]
pub(crate) struct Base {
    series: BTreeMap<String, BTreeMap<Labels, Series>>,
    count: usize,
    max: usize,
    left_out: u64,
}

impl Base {
    /// Room for so many.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            series: BTreeMap::new(),
            count: 0,
            max,
            left_out: 0,
        }
    }

    /// Adds a value; whether there was room for it.
    pub(crate) fn add(&mut self, name: &str, labels: &Labels, at_ms: u64, value: f64) -> bool {
        let known = self
            .series
            .get_mut(name)
            .and_then(|all| all.get_mut(labels));
        if let Some(series) = known {
            series.add(at_ms, value);
            return true;
        }
        if self.count >= self.max {
            self.left_out += 1;
            return false;
        }
        let mut series = Series::default();
        series.add(at_ms, value);
        let all = self.series.entry(name.to_owned()).or_default();
        all.insert(labels.clone(), series);
        self.count += 1;
        true
    }

    pub(crate) fn has(&self, name: &str, labels: &Labels) -> bool {
        self.series
            .get(name)
            .is_some_and(|all| all.contains_key(labels))
    }

    /// Forgets series that nobody has added to since then.
    pub(crate) fn forget_before(&mut self, at_ms: u64) {
        for all in self.series.values_mut() {
            all.retain(|_, series| series.newest_ms().is_some_and(|newest| newest >= at_ms));
        }
        self.series.retain(|_, all| !all.is_empty());
        self.count = self.series.values().map(BTreeMap::len).sum();
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The series of a name whose labels fit, at most as many as an answer may have and one.
    pub(crate) fn find<'a>(
        &'a self,
        name: &str,
        matchers: &'a [Matcher],
    ) -> impl Iterator<Item = (&'a Labels, &'a Series)> {
        let all = self.series.get(name).into_iter().flatten();
        all.filter(|(labels, _)| matchers.iter().all(|matcher| fits(labels, matcher)))
    }

    /// Every series, for whoever wants them all.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Labels, &Series)> {
        self.series.iter().flat_map(|(name, all)| {
            all.iter()
                .map(move |(labels, s)| (name.as_str(), labels, s))
        })
    }

    /// The names there are, or the values of a label.
    pub(crate) fn names(&self, name: &str, label: Option<&str>) -> Vec<String> {
        let Some(label) = label else {
            return self.series.keys().take(SERIES_REPLY_MAX).cloned().collect();
        };
        let of_name = self.all().filter(|(n, _, _)| name.is_empty() || *n == name);
        let values = of_name.filter_map(|(_, labels, _)| labels.get(label));
        let values: std::collections::BTreeSet<&String> = values.collect();
        values.into_iter().take(SERIES_REPLY_MAX).cloned().collect()
    }
}

fn fits(labels: &Labels, matcher: &Matcher) -> bool {
    let value = labels.get(&matcher.label).map_or("", String::as_str);
    match matcher.is {
        Match::Equal => value == matcher.value,
        Match::NotEqual => value != matcher.value,
        Match::Prefix => value.starts_with(&matcher.value),
    }
}
