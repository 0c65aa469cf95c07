//! The machine that has the images and data already.

use super::share;
use crate::cluster::shape::Shape;
use crate::filter::Place;

/// The share of what the task reads that lies there.
pub(super) fn score(shape: &Shape, place: &Place<'_>) -> f64 {
    let there = &place.profile.facts.data;
    let found = shape
        .task
        .data
        .iter()
        .filter(|item| there.contains(*item))
        .count();
    share(found as u64, shape.task.data.len() as u64)
}
