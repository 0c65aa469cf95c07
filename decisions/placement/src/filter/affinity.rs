//! Those that have to be there are there, and nobody who must not be. Anti-affinity holds both
//! ways: whoever is there may keep the task away as well.

use super::{Area, Place};
use crate::cluster::node::Presence;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};
use crate::{Strength, Topology, Wish};

pub(super) fn check(shape: &Shape, place: &Place<'_>) -> Verdict {
    within(shape, Topology::Node, &place.node.presence)
}

pub(super) fn check_area(shape: &Shape, area: &Area<'_>) -> Verdict {
    within(shape, Topology::Zone, area.zone)?;
    within(shape, Topology::Region, area.region)
}

fn within(shape: &Shape, topology: Topology, there: &Presence) -> Verdict {
    let terms = shape.affinities.iter().zip(&shape.task.affinities);
    for (term, named) in terms {
        if term.strength == Strength::Soft || term.within != topology {
            continue;
        }
        let count = there.hosts.get(term.group);
        let group = || named.group.clone();
        match term.wish {
            Wish::Together if count == 0 => return Err(Change::Invite { group: group() }),
            Wish::Apart if count > 0 => {
                return Err(Change::MoveAway {
                    group: group(),
                    count,
                });
            }
            Wish::Together | Wish::Apart => {}
        }
    }
    match there.repels.get(shape.group) {
        0 => Ok(Margin::Free),
        count => Err(Change::MoveAway {
            group: format!("those that keep {} away", shape.task.group),
            count,
        }),
    }
}
