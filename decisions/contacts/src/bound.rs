//! What no plan can exceed.
//!
//! Lagrangian relaxation: antenna time has a price at each moment, each request takes its cheapest
//! contact if that is worth it, and what all antennas could earn is added:
//! `Σ max(0, weight − cheapest) + Σ antennas · price`. Every set of prices that are not negative
//! gives a bound; a subgradient search looks for low ones. The best possible is the bound of the
//! linear programme, as both parts have whole solutions.

use crate::model::Problem;
use crate::pool::{Slot, slots};

/// A moment of a site at which contacts begin to collide, with its price.
struct Moments {
    /// For each slot the first moment it covers, and the one behind its last.
    covers: Vec<(usize, usize)>,
    antennas: Vec<f64>,
}

/// No plan is worth more than this. `reached` is the worth of a plan that is known (0 will do): it
/// steers the search and has no say in the result.
#[must_use]
pub fn bound(problem: &Problem, reached: u64, rounds: u32) -> u64 {
    let slots = slots(problem);
    let moments = Moments::new(problem, &slots);
    let mut prices = vec![0.0; moments.antennas.len()];
    let mut best = f64::INFINITY;
    let mut stride = 1.0;
    let mut idle = 0;
    for _ in 0..rounds {
        let (value, slack) = moments.value(problem, &prices);
        if value < best - 1e-9 {
            best = value;
            idle = 0;
        } else {
            idle += 1;
            if idle == 20 {
                idle = 0;
                stride *= 0.7;
            }
        }
        let norm: f64 = slack.iter().map(|part| part * part).sum();
        if norm == 0.0 {
            break;
        }
        let step = stride * (value - reached as f64).max(1e-3) / norm;
        for (price, part) in prices.iter_mut().zip(&slack) {
            *price = f64::max(0.0, *price - step * part);
        }
    }
    // why: weights are whole, so a fraction is none; the small sum covers rounding of floats.
    let all: u64 = problem.requests().iter().map(possible).sum();
    if best.is_finite() {
        all.min((best + 1e-6) as u64)
    } else {
        all
    }
}

fn possible(request: &crate::model::Request) -> u64 {
    if request.contacts.is_empty() {
        0
    } else {
        u64::from(request.weight)
    }
}

impl Moments {
    /// The begin of a slot matters if something ends before the next begin: others are covered.
    fn new(problem: &Problem, slots: &[Slot]) -> Self {
        let mut covers = vec![(0, 0); slots.len()];
        let mut antennas = Vec::new();
        let mut begins_ms = vec![Vec::new(); problem.sites().len()];
        let mut ends_ms = begins_ms.clone();
        for slot in slots {
            begins_ms[slot.site].push(slot.from_ms);
            ends_ms[slot.site].push(slot.until_ms);
        }
        let mut firsts = Vec::new();
        for (site, begins) in begins_ms.iter_mut().enumerate() {
            begins.sort_unstable();
            begins.dedup();
            ends_ms[site].sort_unstable();
            let ends = &ends_ms[site];
            let all = begins.clone();
            let mut place = 0;
            begins.retain(|&begin| {
                place += 1;
                let passed = ends.partition_point(|&end| end <= begin);
                all.get(place)
                    .is_none_or(|&next| ends.get(passed).is_some_and(|&end| end <= next))
            });
            firsts.push(antennas.len());
            let pool = problem.sites()[site].antennas as f64;
            antennas.extend(std::iter::repeat_n(pool, begins.len()));
        }
        for (cover, slot) in covers.iter_mut().zip(slots) {
            let begins = &begins_ms[slot.site];
            let first = begins.partition_point(|&begin| begin < slot.from_ms);
            let behind = begins.partition_point(|&begin| begin < slot.until_ms);
            *cover = (firsts[slot.site] + first, firsts[slot.site] + behind);
        }
        Self { covers, antennas }
    }

    /// The bound at these prices, and for each moment the antennas that stay free.
    fn value(&self, problem: &Problem, prices: &[f64]) -> (f64, Vec<f64>) {
        let mut sums = vec![0.0; prices.len() + 1];
        for (place, price) in prices.iter().enumerate() {
            sums[place + 1] = sums[place] + price;
        }
        let mut value: f64 = prices.iter().zip(&self.antennas).map(|(a, b)| a * b).sum();
        let mut uses = vec![0.0; prices.len() + 1];
        let mut begin = 0;
        for request in problem.requests() {
            let ways = &self.covers[begin..begin + request.contacts.len()];
            begin += request.contacts.len();
            let price = |cover: &(usize, usize)| sums[cover.1] - sums[cover.0];
            let Some(cheapest) = ways.iter().min_by(|a, b| price(a).total_cmp(&price(b))) else {
                continue;
            };
            let gain = f64::from(request.weight) - price(cheapest);
            if gain > 0.0 {
                value += gain;
                uses[cheapest.0] += 1.0;
                uses[cheapest.1] -= 1.0;
            }
        }
        let mut used = 0.0;
        let slack = self.antennas.iter().zip(&uses).map(|(antennas, change)| {
            used += change;
            antennas - used
        });
        (value, slack.collect())
    }
}
