//! Those that have to be there are there, and nobody who must not be. Anti-affinity holds both
//! ways: whoever is there may keep the task away as well.

use super::{Area, Place};
use crate::cluster::node::Presence;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};
use crate::{Strength, Topology, Wish};

pub(super) fn check(shape: &Shape, place: &Place<'_>) -> Verdict {
    let mut changes = within(shape, Topology::Node, &place.node.presence);
    changes.next().map_or(Ok(Margin::Free), Err)
}

pub(super) fn check_area(shape: &Shape, area: &Area<'_>) -> Verdict {
    let zone = within(shape, Topology::Zone, area.zone);
    let mut changes = zone.chain(within(shape, Topology::Region, area.region));
    changes.next().map_or(Ok(Margin::Free), Err)
}

/// Everybody who is missing, and everybody who is too much, on the machine and around it.
pub(super) fn changes(shape: &Shape, place: &Place<'_>, area: &Area<'_>) -> Vec<Change> {
    let node = within(shape, Topology::Node, &place.node.presence);
    let zone = within(shape, Topology::Zone, area.zone);
    let region = within(shape, Topology::Region, area.region);
    node.chain(zone).chain(region).collect()
}

fn within(shape: &Shape, topology: Topology, there: &Presence) -> impl Iterator<Item = Change> {
    let terms = shape.affinities.iter().zip(&shape.task.affinities);
    let hard =
        terms.filter(move |(term, _)| term.strength != Strength::Soft && term.within == topology);
    let own = hard.filter_map(|(term, named)| {
        let count = there.hosts.get(term.group);
        let group = || named.group.clone();
        match term.wish {
            Wish::Together if count == 0 => Some(Change::Invite { group: group() }),
            Wish::Apart if count > 0 => Some(Change::MoveAway {
                group: group(),
                count,
            }),
            Wish::Together | Wish::Apart => None,
        }
    });
    let repelling = Some(there.repels.get(shape.group)).filter(|count| *count > 0);
    own.chain(repelling.map(|count| Change::MoveAway {
        group: format!("those that keep {} away", shape.task.group),
        count,
    }))
}
