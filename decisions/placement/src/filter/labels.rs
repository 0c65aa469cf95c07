//! The machine's labels say what is asked for.

use model::{Condition, Requirement};
use regex_lite::Regex;

use super::versions;
use crate::cluster::node::Profile;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, profile: &Profile) -> Verdict {
    missing(shape, profile).next().map_or(Ok(Margin::Free), Err)
}

/// Every label that does not say what is asked for.
pub(super) fn changes(shape: &Shape, profile: &Profile) -> Vec<Change> {
    missing(shape, profile).collect()
}

fn missing(shape: &Shape, profile: &Profile) -> impl Iterator<Item = Change> {
    let labels = &profile.facts.labels;
    let fails = move |(requirement, expression): &(&Requirement, &Option<Regex>)| {
        let value = labels.get(&requirement.key).map(String::as_str);
        !holds(&requirement.is, value, expression.as_ref())
    };
    let requirements = shape.task.requirements.iter().zip(&shape.expressions);
    let failing = requirements.filter(fails);
    failing.map(|(requirement, _)| Change::Label(requirement.clone()))
}

fn holds(condition: &Condition, value: Option<&str>, expression: Option<&Regex>) -> bool {
    let Some(value) = value else {
        return matches!(condition, Condition::NotEquals(_));
    };
    let number = || value.parse::<i64>().ok();
    match condition {
        Condition::Equals(wanted) => value == wanted,
        Condition::NotEquals(unwanted) => value != unwanted,
        Condition::In(wanted) => wanted.iter().any(|one| one == value),
        Condition::Exists => true,
        Condition::Below(limit) => number().is_some_and(|number| number < *limit),
        Condition::Above(limit) => number().is_some_and(|number| number > *limit),
        Condition::Matches(_) => expression.is_some_and(|regex| regex.is_match(value)),
        Condition::Version(range) => versions::is_in(value, range).unwrap_or(false),
    }
}
