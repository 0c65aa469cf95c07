//! There is enough of everything, headroom and overcommitment counted.

use std::sync::Arc;

use super::Place;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, place: &Place<'_>) -> Verdict {
    // The scarcest: the smallest share of what is there that would be left.
    let mut scarcest: Option<(u32, u64, u64)> = None;
    for &(resource, wanted) in &shape.request {
        let limit = place.profile.limit(resource, shape.uses_headroom());
        let free = limit.saturating_sub(place.node.used(resource));
        let Some(left) = free.checked_sub(wanted) else {
            return Err(missing(place, resource, wanted, limit));
        };
        let scarcer = scarcest.is_none_or(|(_, least, of)| {
            u128::from(left) * u128::from(of) < u128::from(least) * u128::from(limit)
        });
        if scarcer {
            scarcest = Some((resource, left, limit));
        }
    }
    Ok(
        scarcest.map_or(Margin::Free, |(resource, amount, _)| Margin::Left {
            resource: Arc::clone(place.resources.name(resource)),
            amount,
        }),
    )
}

/// Everything of which there is not enough.
pub(super) fn changes(shape: &Shape, place: &Place<'_>) -> Vec<Change> {
    let short = |&(resource, wanted): &(u32, u64)| {
        let limit = place.profile.limit(resource, shape.uses_headroom());
        let free = limit.saturating_sub(place.node.used(resource));
        (wanted > free).then(|| missing(place, resource, wanted, limit))
    };
    shape.request.iter().filter_map(short).collect()
}

fn missing(place: &Place<'_>, resource: u32, wanted: u64, limit: u64) -> Change {
    let name = Arc::clone(place.resources.name(resource));
    let reserved = place.profile.reserved.get(resource as usize);
    let usable = limit.saturating_sub(reserved.copied().unwrap_or(0));
    let amount = wanted - limit.saturating_sub(place.node.used(resource)).min(wanted);
    if wanted > usable {
        return Change::Shrink {
            resource: name,
            amount,
        };
    }
    Change::Free {
        resource: name,
        amount,
    }
}
