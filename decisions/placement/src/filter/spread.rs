//! The zones stay even: none gets more than `max_skew` ahead of the one with the fewest.

use super::Area;
use crate::Strength;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, area: &Area<'_>) -> Verdict {
    let hard = shape
        .task
        .spread
        .filter(|spread| spread.strength == Strength::Hard);
    let Some(spread) = hard else {
        return Ok(Margin::Free);
    };
    let here = area.zone.hosts.get(shape.group).saturating_add(1);
    let skew = here.saturating_sub(area.fewest);
    // No skew at all could never be kept: the first one of a group is one ahead.
    let allowed = spread.max_skew.max(1);
    allowed
        .checked_sub(skew)
        .map(Margin::Skew)
        .ok_or(Change::RaiseSkew {
            by: skew.saturating_sub(allowed),
        })
}
