//! Soft affinities: with those that are liked, not with those that are not.

use super::share;
use crate::cluster::node::Presence;
use crate::cluster::shape::Shape;
use crate::filter::{Area, Place};
use crate::{Strength, Topology, Wish};

/// The share of the soft wishes about machines that hold there.
pub(super) fn score(shape: &Shape, place: &Place<'_>) -> f64 {
    let presence = |topology| (topology == Topology::Node).then_some(&place.node.presence);
    kept(shape, presence)
}

/// The share of the soft wishes about zones and regions that hold there.
pub(super) fn score_area(shape: &Shape, area: &Area<'_>) -> f64 {
    kept(shape, |topology| match topology {
        Topology::Node => None,
        Topology::Zone => Some(area.zone),
        Topology::Region => Some(area.region),
    })
}

fn kept<'a>(shape: &Shape, presence: impl Fn(Topology) -> Option<&'a Presence>) -> f64 {
    let (mut kept, mut all) = (0, 0);
    let soft = shape
        .affinities
        .iter()
        .filter(|term| term.strength == Strength::Soft);
    for term in soft {
        let Some(there) = presence(term.within) else {
            continue;
        };
        all += 1;
        let is_there = there.hosts.get(term.group) > 0;
        kept += u64::from(is_there == (term.wish == Wish::Together));
    }
    share(kept, all)
}
