//! What makes a place better, one file each, all alike: `score` is between 0 and 1.

mod affinity;
mod best_fit;
mod dot_product;
mod fragmentation;
mod locality;
mod spread;
mod taints;
mod worst_fit;

use crate::cluster::node::{Profile, WHOLE};
use crate::cluster::outlook::Outlook;
use crate::cluster::shape::Shape;
use crate::filter::{Area, Place};
use crate::settings::Weights;

/// Against what amounts are measured, so that different resources can be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Yardstick {
    /// The most that a machine has of each resource, by number.
    pub(crate) largest: Vec<u64>,
    /// The most graphics processors that a machine has, in thousandths.
    pub(crate) largest_gpu: u64,
}

impl Yardstick {
    /// Grows to a profile's size.
    pub(crate) fn measure(&mut self, profile: &Profile) {
        self.largest
            .resize(self.largest.len().max(profile.capacity.len()), 0);
        for (largest, amount) in self.largest.iter_mut().zip(&profile.capacity) {
            *largest = (*largest).max(*amount);
        }
        let gpu = u64::from(profile.facts.gpus.count) * u64::from(WHOLE);
        self.largest_gpu = self.largest_gpu.max(gpu);
    }

    /// An amount as a share of what the largest machine has.
    fn share(&self, resource: u32, amount: u64) -> f64 {
        share(
            amount,
            self.largest.get(resource as usize).copied().unwrap_or(0),
        )
    }

    fn share_of_gpu(&self, milli: u64) -> f64 {
        share(milli, self.largest_gpu)
    }
}

/// Sums, products and quotients of `f64` are the same on every machine; nothing else is used.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        float(part) / float(whole)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a score needs no more than 53 bits"
)]
fn float(amount: u64) -> f64 {
    amount as f64
}

/// How finely scores are told apart: a billionth.
const FINENESS: f64 = 1e9;

/// What speaks for a machine, its zone apart; never negative.
pub(crate) fn of_place(
    shape: &Shape,
    place: &Place<'_>,
    weights: &Weights,
    (yardstick, outlook): (&Yardstick, &Outlook),
) -> i64 {
    let mut sum = 0.0;
    let mut add = |weight: u32, score: &dyn Fn() -> f64| {
        if weight > 0 {
            sum += f64::from(weight) * score();
        }
    };
    add(weights.best_fit, &|| {
        best_fit::score(shape, place, yardstick)
    });
    add(weights.worst_fit, &|| {
        worst_fit::score(shape, place, yardstick)
    });
    add(weights.dot_product, &|| {
        dot_product::score(shape, place, yardstick)
    });
    add(weights.fragmentation, &|| {
        fragmentation::score(shape, place, outlook, yardstick)
    });
    add(weights.affinity, &|| affinity::score(shape, place));
    add(weights.locality, &|| locality::score(shape, place));
    add(weights.taints, &|| taints::score(shape, place));
    fixed(sum)
}

/// What speaks for a zone, whichever of its machines it is; never negative.
pub(crate) fn of_area(shape: &Shape, area: &Area<'_>, weights: &Weights) -> i64 {
    let spread = f64::from(weights.spread) * spread::score(shape, area);
    let affinity = f64::from(weights.affinity) * affinity::score_area(shape, area);
    fixed(spread + affinity)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "weights are 32 bits, scores at most 1"
)]
fn fixed(sum: f64) -> i64 {
    (sum * FINENESS) as i64
}
