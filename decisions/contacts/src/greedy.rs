//! The rules that ours is measured against.

use crate::model::{Plan, Problem};
use crate::pool::Pool;

/// In which order a greedy plan takes what still fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The contact that ends first, whoever wants it.
    EarliestEnd,
    /// The request with the fewest contacts, and of these the one that ends first.
    FewestAlternatives,
}

/// A plan by one rule, without a second thought.
#[must_use]
pub fn greedy(problem: &Problem, rule: Rule) -> Plan {
    let mut pool = Pool::new(problem);
    fill(&mut pool, rule);
    pool.plan()
}

pub(crate) fn fill(pool: &mut Pool<'_>, rule: Rule) {
    let mut order: Vec<usize> = (0..pool.slots().len()).collect();
    order.sort_by_key(|&index| {
        let slot = pool.slots()[index];
        let alternatives = match rule {
            Rule::EarliestEnd => 0,
            Rule::FewestAlternatives => pool.of(slot.request).len(),
        };
        (alternatives, slot.until_ms, index)
    });
    for index in order {
        let request = pool.slots()[index].request;
        if pool.chosen(request).is_none() && pool.fits(index) {
            pool.set(request, Some(index));
        }
    }
}
