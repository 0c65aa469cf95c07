//! Machines stay usable for what is likely to come.
//!
//! A *fragment* is what is free of a machine's graphics processors and of no use: because no
//! processor has enough left for the task, or because the machine has too few cores or too little
//! memory left for as many tasks as its processors would take. The place where a task makes the
//! smallest new fragment, averaged over the kinds of tasks that are expected, is the best. After
//! Weng et al., "Beware of Fragmentation" (USENIX ATC 2023), which counts only the processors that
//! one more task cannot use; counting how many tasks they are good for leaves less unused.

use super::Yardstick;
use crate::cluster::outlook::{Kind, Outlook};
use crate::cluster::shape::Shape;
use crate::filter::Place;

/// Cores and memory last for so many times the tasks of one kind, because the others that come
/// beside them need less. Found with the openb trace: 1 leaves 0.3 percent of the graphics
/// processors more unused, 3 leaves 0.1 percent more.
const OTHERS_NEED_LESS: f64 = 2.0;

/// One half where nothing changes; more where a fragment becomes of use.
pub(super) fn score(
    shape: &Shape,
    place: &Place<'_>,
    outlook: &Outlook,
    yardstick: &Yardstick,
) -> f64 {
    let free = &place.node.gpu_free;
    if free.is_empty() {
        return 0.5;
    }
    let mut left = free.clone();
    for device in place.node.devices_for(shape).unwrap_or_default() {
        left[usize::from(device)] -= shape.gpu.1;
    }
    let before = useless(place, outlook, free, &[]);
    let after = useless(place, outlook, &left, &shape.request);
    let most = super::float(yardstick.largest_gpu.max(1));
    (0.5 - (after - before) / (2.0 * most)).clamp(0.0, 1.0)
}

/// How many thousandths of what is free are of no use, on average over what is expected.
fn useless(place: &Place<'_>, outlook: &Outlook, gpus: &[u16], taken: &[(u32, u64)]) -> f64 {
    let free = super::float(gpus.iter().map(|free| u64::from(*free)).sum());
    let kinds = outlook.of(place.node.profile);
    let parts = kinds.map(|(kind, suits)| {
        let useful = if suits {
            useful(kind, place, gpus, taken)
        } else {
            0.0
        };
        kind.weight * (free - useful)
    });
    parts.sum()
}

/// How many thousandths tasks of one kind could use.
fn useful(kind: &Kind, place: &Place<'_>, gpus: &[u16], taken: &[(u32, u64)]) -> f64 {
    let (count, milli) = kind.shape.gpu;
    let fitting = || gpus.iter().filter(|free| **free >= milli);
    if fitting().count() < usize::from(count) {
        return 0.0;
    }
    let each = super::float(kind.shape.gpu_milli());
    let mut useful = super::float(fitting().map(|free| u64::from(*free)).sum());
    for &(resource, wanted) in &kind.shape.request {
        let limit = place.profile.limit(resource, kind.shape.uses_headroom());
        let taken = taken.iter().find(|(other, _)| *other == resource);
        let used = place.node.used(resource) + taken.map_or(0, |(_, amount)| *amount);
        let left = limit.saturating_sub(used);
        if left < wanted {
            return 0.0;
        }
        let tasks = OTHERS_NEED_LESS * super::float(left) / super::float(wanted);
        useful = useful.min(tasks * each);
    }
    useful
}
