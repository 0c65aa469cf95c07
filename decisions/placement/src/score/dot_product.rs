//! The machine whose free amounts are least like what is asked for: what is plentiful on it is
//! left for those who need it (Panigrahy et al., "Heuristics for Vector Bin Packing", 2011; the
//! sign is that of the evaluation in Weng et al., ATC'23).

use super::Yardstick;
use crate::cluster::shape::Shape;
use crate::filter::Place;

/// 1 less the mean product of what is free and what is asked for.
pub(super) fn score(shape: &Shape, place: &Place<'_>, yardstick: &Yardstick) -> f64 {
    let mut sum = 0.0;
    let mut parts = 0_u32;
    for &(resource, wanted) in &shape.request {
        let limit = place.profile.limit(resource, true);
        let free = limit.saturating_sub(place.node.used(resource));
        sum +=
            yardstick.share(resource, free).min(1.0) * yardstick.share(resource, wanted).min(1.0);
        parts += 1;
    }
    if shape.gpu.0 > 0 {
        let free = place.node.gpu_free_milli();
        sum += yardstick.share_of_gpu(free) * yardstick.share_of_gpu(shape.gpu_milli());
        parts += 1;
    }
    if parts == 0 {
        1.0
    } else {
        1.0 - sum / f64::from(parts)
    }
}
