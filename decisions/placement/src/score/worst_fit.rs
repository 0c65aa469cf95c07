//! The machine with the most left over: load is spread thin.

use super::{Yardstick, best_fit};
use crate::cluster::shape::Shape;
use crate::filter::Place;

/// The mean share that would be left of what is asked for.
pub(super) fn score(shape: &Shape, place: &Place<'_>, yardstick: &Yardstick) -> f64 {
    best_fit::left_over(shape, place, yardstick)
}
