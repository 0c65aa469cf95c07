//! Off machines that prefer not to be used.

use model::Effect;

use crate::cluster::shape::Shape;
use crate::filter::{Place, tolerated};

/// 1 when nothing speaks against it, 0 when a taint that is not tolerated does.
pub(super) fn score(shape: &Shape, place: &Place<'_>) -> f64 {
    let minds = place.profile.facts.taints.iter().any(|taint| {
        taint.effect == Effect::PreferNoSchedule && !tolerated(&shape.task.tolerations, taint)
    });
    if minds { 0.0 } else { 1.0 }
}
