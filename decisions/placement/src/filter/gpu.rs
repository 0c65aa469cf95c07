//! There are enough graphics processors: one with room for a part, or so many whole ones.

use super::Place;
use crate::cluster::node::WHOLE;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, place: &Place<'_>) -> Verdict {
    let (count, milli) = shape.gpu;
    if count == 0 {
        return Ok(Margin::Free);
    }
    let free = &place.node.gpu_free;
    let fitting = free.iter().filter(|free| **free >= milli).count();
    if fitting >= usize::from(count) {
        let all = place.node.gpu_free_milli();
        return Ok(Margin::GpusLeft {
            milli: all.saturating_sub(shape.gpu_milli()),
        });
    }
    let there = free.len();
    if there < usize::from(count) {
        let missing = usize::from(count) - fitting;
        return Err(Change::ShrinkGpus {
            milli: missing as u64 * u64::from(milli.max(WHOLE)),
        });
    }
    Err(Change::FreeGpus {
        milli: smallest_gap(free, count, milli),
    })
}

/// How little has to become free, if it becomes free where least is missing.
fn smallest_gap(free: &[u16], count: u16, milli: u16) -> u64 {
    let gap = |free: &u16| u64::from(milli.saturating_sub(*free));
    let mut gaps: Vec<u64> = free.iter().map(gap).collect();
    gaps.sort_unstable();
    gaps.iter().take(usize::from(count)).sum()
}
