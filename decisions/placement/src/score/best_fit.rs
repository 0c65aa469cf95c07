//! The machine with the least left over: the tightest.

use super::Yardstick;
use crate::cluster::shape::Shape;
use crate::filter::Place;

/// 1 less the mean share that would be left of what is asked for.
pub(super) fn score(shape: &Shape, place: &Place<'_>, yardstick: &Yardstick) -> f64 {
    1.0 - left_over(shape, place, yardstick)
}

/// The mean over all that is asked for of what would be left, as a share of the largest machine.
pub(super) fn left_over(shape: &Shape, place: &Place<'_>, yardstick: &Yardstick) -> f64 {
    let mut sum = 0.0;
    let mut parts = 0_u32;
    for &(resource, wanted) in &shape.request {
        let limit = place.profile.limit(resource, true);
        let free = limit.saturating_sub(place.node.used(resource));
        sum += yardstick
            .share(resource, free.saturating_sub(wanted))
            .min(1.0);
        parts += 1;
    }
    if shape.gpu.0 > 0 {
        let free = place.node.gpu_free_milli();
        sum += yardstick.share_of_gpu(free.saturating_sub(shape.gpu_milli()));
        parts += 1;
    }
    if parts == 0 {
        0.0
    } else {
        sum / f64::from(parts)
    }
}
