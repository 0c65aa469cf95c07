//! The ports are free.

use super::Place;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, place: &Place<'_>) -> Verdict {
    let taken = |port: &&u16| place.node.ports.binary_search(port).is_ok();
    match shape.task.ports.iter().find(taken) {
        None => Ok(Margin::Free),
        Some(port) => Err(Change::FreePort(*port)),
    }
}
