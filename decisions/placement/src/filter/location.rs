//! The machine is in a region and a zone that will do.

use crate::cluster::node::Profile;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, profile: &Profile) -> Verdict {
    changes(shape, profile).pop().map_or(Ok(Margin::Free), Err)
}

/// The region and the zone, as far as they will not do.
pub(super) fn changes(shape: &Shape, profile: &Profile) -> Vec<Change> {
    let mut changes = Vec::new();
    let allows = |wanted: &[String], is: &String| wanted.is_empty() || wanted.contains(is);
    if !allows(&shape.task.regions, &profile.facts.region) {
        changes.push(Change::AllowRegion(profile.facts.region.clone()));
    }
    if !allows(&shape.task.zones, &profile.facts.zone) {
        changes.push(Change::AllowZone(profile.facts.zone.clone()));
    }
    changes
}
