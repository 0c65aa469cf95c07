//! The rules that a place has to keep, one file each, all alike: `check` says how much room there
//! is, or what would have to change.

mod affinity;
mod capacity;
mod gpu;
mod gpu_model;
mod labels;
mod license;
mod location;
mod pool;
mod ports;
mod spread;
mod status;
mod taints;
mod versions;

pub(crate) use taints::tolerated;

use crate::cluster::names::Names;
use crate::cluster::node::{NodeState, Presence, Profile};
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Check, Filter, Verdict};

/// A machine, as the rules about one machine see it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) node: &'a NodeState,
    pub(crate) resources: &'a Names,
}

/// What lies around a machine, as the rules about zones and regions see it.
#[derive(Clone, Copy)]
pub(crate) struct Area<'a> {
    pub(crate) zone: &'a Presence,
    pub(crate) region: &'a Presence,
    /// How many of the task's group are in the eligible zone that has the fewest.
    pub(crate) fewest: u32,
}

type ByFacts = fn(&Shape, &Profile) -> Verdict;
type ByPlace = fn(&Shape, &Place<'_>) -> Verdict;
type ByArea = fn(&Shape, &Area<'_>) -> Verdict;

/// Rules about what machines of one profile have in common: decided once for all of them.
pub(crate) const BY_FACTS: [(Filter, ByFacts); 6] = [
    (Filter::Pool, pool::check),
    (Filter::Labels, labels::check),
    (Filter::Taints, taints::check),
    (Filter::Location, location::check),
    (Filter::License, license::check),
    (Filter::GpuModel, gpu_model::check),
];

/// Rules about one machine as it is now.
pub(crate) const BY_PLACE: [(Filter, ByPlace); 5] = [
    (Filter::Status, status::check),
    (Filter::Ports, ports::check),
    (Filter::Capacity, capacity::check),
    (Filter::Gpu, gpu::check),
    (Filter::Affinity, affinity::check),
];

/// Rules about a zone and its region.
pub(crate) const BY_AREA: [(Filter, ByArea); 2] = [
    (Filter::Affinity, affinity::check_area),
    (Filter::Spread, spread::check),
];

/// The first rule about facts that refuses.
pub(crate) fn refused_by_facts(shape: &Shape, profile: &Profile) -> Option<Filter> {
    let refuses = |rule: &&(Filter, ByFacts)| (rule.1)(shape, profile).is_err();
    BY_FACTS.iter().find(refuses).map(|rule| rule.0)
}

/// The first rule about the machine that refuses.
pub(crate) fn refused_by_place(shape: &Shape, place: &Place<'_>) -> Option<Filter> {
    let refuses = |rule: &&(Filter, ByPlace)| (rule.1)(shape, place).is_err();
    BY_PLACE.iter().find(refuses).map(|rule| rule.0)
}

/// The first rule about the zone and its region that refuses.
pub(crate) fn refused_by_area(shape: &Shape, area: &Area<'_>) -> Option<Filter> {
    let refuses = |rule: &&(Filter, ByArea)| (rule.1)(shape, area).is_err();
    BY_AREA.iter().find(refuses).map(|rule| rule.0)
}

/// Every rule, each with all that it says.
pub(crate) fn examine(shape: &Shape, place: &Place<'_>, area: &Area<'_>) -> Vec<Check> {
    let facts = BY_FACTS
        .iter()
        .map(|rule| (rule.0, rule.1(shape, place.profile)));
    let own = BY_PLACE.iter().map(|rule| (rule.0, rule.1(shape, place)));
    let around = BY_AREA.iter().map(|rule| (rule.0, rule.1(shape, area)));
    let mut checks: Vec<Check> = Vec::new();
    for (filter, verdict) in facts.chain(own).chain(around) {
        let outcome = verdict.map_err(|first| changes(filter, shape, place, area, first));
        match checks.iter_mut().find(|check| check.filter == filter) {
            // Of a rule with two parts the one that refuses says what both say.
            Some(known) if known.outcome.is_ok() => known.outcome = outcome,
            Some(_) => {}
            None => checks.push(Check { filter, outcome }),
        }
    }
    checks.sort_by_key(|check| check.filter);
    // Who is to do without any need not ask for fewer.
    let without = Err(vec![Change::GpuModel(String::new())]);
    if checks.iter().any(|check| check.outcome == without) {
        checks.retain(|check| check.filter != Filter::Gpu);
    }
    checks
}

/// All that would have to change for a rule to be kept, of which the first is known.
fn changes(
    filter: Filter,
    shape: &Shape,
    place: &Place<'_>,
    area: &Area<'_>,
    first: Change,
) -> Vec<Change> {
    match filter {
        Filter::Status => status::changes(place),
        Filter::Labels => labels::changes(shape, place.profile),
        Filter::Taints => taints::changes(shape, place.profile),
        Filter::Location => location::changes(shape, place.profile),
        Filter::Ports => ports::changes(shape, place),
        Filter::Capacity => capacity::changes(shape, place),
        Filter::Affinity => affinity::changes(shape, place, area),
        Filter::Pool
        | Filter::License
        | Filter::GpuModel
        | Filter::Gpu
        | Filter::Spread
        | Filter::Quota => vec![first],
    }
}
