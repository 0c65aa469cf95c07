//! The machine takes work.

use model::{Duty, NodeStatus};

use super::Place;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(_: &Shape, place: &Place<'_>) -> Verdict {
    match (place.node.status, place.node.duty) {
        (NodeStatus::Ready, Duty::Open) => Ok(Margin::Free),
        (NodeStatus::Ready, duty) => Err(Change::Open(duty)),
        (status, _) => Err(Change::Recover(status)),
    }
}
