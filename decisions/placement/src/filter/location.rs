//! The machine is in a region and a zone that will do.

use crate::cluster::node::Profile;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, profile: &Profile) -> Verdict {
    let allows = |wanted: &[String], is: &String| wanted.is_empty() || wanted.contains(is);
    if !allows(&shape.task.regions, &profile.facts.region) {
        return Err(Change::AllowRegion(profile.facts.region.clone()));
    }
    if !allows(&shape.task.zones, &profile.facts.zone) {
        return Err(Change::AllowZone(profile.facts.zone.clone()));
    }
    Ok(Margin::Free)
}
