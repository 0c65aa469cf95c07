//! The machine is of the pool that is asked for.

use crate::cluster::node::Profile;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, profile: &Profile) -> Verdict {
    if shape.task.pool == profile.facts.pool {
        return Ok(Margin::Free);
    }
    Err(Change::Pool(profile.facts.pool.clone()))
}
