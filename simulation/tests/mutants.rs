//! The checkers see every planted mistake: a checker that sees nothing proves nothing.

use simulation::{Mutant, run};

const SEEDS: u64 = 150;

/// The first seed that catches a mistake, and the invariant that it breaks.
fn caught(mutant: Mutant) -> Option<(u64, &'static str)> {
    let mut outcomes = (0..SEEDS).map(|seed| run(seed, mutant));
    outcomes.find_map(|outcome| Some((outcome.seed, outcome.verdict.err()?.invariant)))
}

#[test]
fn every_planted_mistake_is_caught() {
    let missed: Vec<_> = Mutant::ALL
        .into_iter()
        .map(|mutant| (mutant, caught(mutant)))
        .inspect(|(mutant, caught)| println!("{mutant:?}: {caught:?}"))
        .filter(|(_, caught)| caught.is_none())
        .collect();
    assert!(missed.is_empty(), "not seen: {missed:?}");
}
