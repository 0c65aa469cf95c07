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

/// How much of the last direction a step keeps.
const KEPT: f64 = 0.8;
/// Rounds that are enough for prices to search by.
const LOSS_ROUNDS: u32 = 1_500;

/// No plan is worth more than this. `reached` is the worth of a plan that is known (0 will do): it
/// steers the search and has no say in the result.
#[must_use]
pub fn bound(problem: &Problem, reached: u64, rounds: u32) -> u64 {
    Prices::find(problem, &slots(problem), reached, rounds).bound(problem)
}

/// What a plan loses against the bound by using each slot instead of its request's cheapest, where
/// the bound's prices are paid, and the bound. A plan that reaches it uses no slot that loses.
pub(crate) fn losses(problem: &Problem, slots: &[Slot], reached: u64) -> (Vec<f64>, u64) {
    let found = Prices::find(problem, slots, reached, LOSS_ROUNDS);
    let Prices {
        moments, prices, ..
    } = &found;
    let sums = sums(prices);
    let mut losses: Vec<f64> = moments
        .covers
        .iter()
        .map(|at| sums[at.1] - sums[at.0])
        .collect();
    let mut begin = 0;
    for request in problem.requests() {
        let own = &mut losses[begin..begin + request.contacts.len()];
        begin += request.contacts.len();
        let cheapest = own
            .iter()
            .copied()
            .fold(f64::from(request.weight), f64::min);
        own.iter_mut().for_each(|loss| *loss -= cheapest);
    }
    let bound = found.bound(problem);
    (losses, bound)
}

/// The best prices that were found, and the bound they give.
struct Prices {
    moments: Moments,
    prices: Vec<f64>,
    value: f64,
}

impl Prices {
    /// Subgradient search: each step goes against what is free at each moment, and keeps some of
    /// the last direction (Camerini, Fratta, Maffioli 1975), as far as Polyak says.
    fn find(problem: &Problem, slots: &[Slot], reached: u64, rounds: u32) -> Self {
        let moments = Moments::new(problem, slots);
        let mut prices = vec![0.0; moments.antennas.len()];
        let mut best = (f64::INFINITY, prices.clone());
        let mut ways = prices.clone();
        let (mut stride, mut idle) = (1.0, 0);
        for _ in 0..rounds {
            let (value, slack) = moments.value(problem, &prices);
            idle += 1;
            if value < best.0 - 1e-9 {
                best = (value, prices.clone());
                idle = 0;
            } else if idle == 20 {
                idle = 0;
                stride *= 0.7;
            }
            // why: what is free and costs nothing stays so, and must not shorten the step.
            for ((way, part), price) in ways.iter_mut().zip(&slack).zip(&prices) {
                let stays = *part > 0.0 && *price == 0.0;
                *way = if stays { 0.0 } else { KEPT * *way + part };
            }
            let norm: f64 = ways.iter().map(|way| way * way).sum();
            if norm == 0.0 {
                break;
            }
            let step = stride * (value - reached as f64).max(1e-3) / norm;
            for (price, way) in prices.iter_mut().zip(&ways) {
                *price = f64::max(0.0, *price - step * way);
            }
        }
        let (value, prices) = best;
        Self {
            moments,
            prices,
            value,
        }
    }

    /// Weights are whole, so a fraction is none; the small sum covers rounding of floats.
    fn bound(&self, problem: &Problem) -> u64 {
        let all: u64 = problem.requests().iter().map(possible).sum();
        if self.value.is_finite() {
            all.min((self.value + 1e-6) as u64)
        } else {
            all
        }
    }
}

/// For each moment the prices of all before it; one more at the end.
fn sums(prices: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; prices.len() + 1];
    for (place, price) in prices.iter().enumerate() {
        sums[place + 1] = sums[place] + price;
    }
    sums
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
        let sums = sums(prices);
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
