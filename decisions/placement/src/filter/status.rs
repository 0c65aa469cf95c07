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

/// It has to come back, or be opened, or both.
pub(super) fn changes(place: &Place<'_>) -> Vec<Change> {
    let status = Some(place.node.status).filter(|status| *status != NodeStatus::Ready);
    let duty = Some(place.node.duty).filter(|duty| *duty != Duty::Open);
    let recover = status.map(Change::Recover);
    recover.into_iter().chain(duty.map(Change::Open)).collect()
}
