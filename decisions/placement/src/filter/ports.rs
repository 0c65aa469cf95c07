//! The ports are free.

use super::Place;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, place: &Place<'_>) -> Verdict {
    taken(shape, place).next().map_or(Ok(Margin::Free), Err)
}

/// Every port that is taken.
pub(super) fn changes(shape: &Shape, place: &Place<'_>) -> Vec<Change> {
    taken(shape, place).collect()
}

fn taken(shape: &Shape, place: &Place<'_>) -> impl Iterator<Item = Change> {
    let taken = |port: &&u16| place.node.ports.binary_search(port).is_ok();
    let ports = shape.task.ports.iter().filter(taken);
    ports.map(|port| Change::FreePort {
        port: *port,
        holder: None,
    })
}
