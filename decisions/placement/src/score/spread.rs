//! The zone with the fewest of the group.

use super::share;
use crate::cluster::shape::Shape;
use crate::filter::Area;

/// 1 in the zone with the fewest, less the farther it is ahead; half of it one `max_skew` ahead.
pub(super) fn score(shape: &Shape, area: &Area<'_>) -> f64 {
    let Some(spread) = shape.task.spread else {
        return 0.0;
    };
    let ahead = area.zone.hosts.get(shape.group).saturating_sub(area.fewest);
    let allowed = u64::from(spread.max_skew.max(1));
    share(allowed, allowed + u64::from(ahead))
}
