//! The machine's licence reaches as far as the task needs, or farther.

use crate::cluster::node::Profile;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, profile: &Profile) -> Verdict {
    if shape.task.license.0 == 0 {
        return Ok(Margin::Free);
    }
    let (needed, has) = (shape.task.license.0, profile.facts.license.0);
    has.checked_sub(needed)
        .map(Margin::Tiers)
        .ok_or(Change::License {
            tiers: needed.saturating_sub(has),
        })
}
