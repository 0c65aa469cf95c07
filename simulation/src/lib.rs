//! The production decisions in a fake world, in one thread, from one seed.
//!
//! The control plane runs `reconciliation`'s `plan`, `execute`, `observe` and `command` over a
//! store that loses what was not committed; agents run its `node::diff` over fake machines whose
//! processes outlive them. Between them is a network that loses, repeats, delays and reorders
//! messages and is cut in one direction; around them machines go down, processes die and hang,
//! foreigners take pids and ports, and operators change their minds.
//!
//! A run has a **safety** phase, in which anything may fail and the [`invariants`] are checked
//! after every event, and a **liveness** phase: the world heals, and must then converge. Which
//! faults a seed has is sampled ([`faults`]); a run in which too little happened is void.
//!
//! `cargo run -p simulation -- --seed 7` replays one seed; without arguments it runs many.
//! [`Mutant`] plants a mistake, and the checkers must see it.

pub mod agent;
mod chaos;
pub mod control;
mod events;
pub mod faults;
pub mod invariants;
pub mod machine;
mod machines;
mod mutants;
pub mod queue;
pub mod random;
pub mod world;

pub use invariants::Broken;
pub use mutants::Mutant;
pub use world::{Traffic, World};

/// What a run showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The hash of all that happened, or what was broken.
    pub verdict: Result<u64, Broken>,
    /// What happened, in numbers.
    pub traffic: Traffic,
}

impl Outcome {
    /// Whether too little happened for the verdict to mean anything.
    #[must_use]
    pub fn is_void(&self) -> bool {
        let faults: u64 = self.traffic.faults.values().sum();
        self.verdict.is_ok() && (faults < 5 || self.traffic.starts < 10)
    }

    /// How to see it again.
    #[must_use]
    pub fn replay(&self) -> String {
        format!("cargo run -p simulation -- --seed {}", self.seed)
    }
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, mutant: Mutant) -> Outcome {
    let mut world = World::new(seed, mutant);
    let verdict = world.run();
    Outcome {
        seed,
        verdict,
        traffic: world.traffic,
    }
}

/// Runs one seed twice: the same seed must give the same history.
#[must_use]
pub fn run_twice(seed: u64) -> Outcome {
    let first = run(seed, Mutant::None);
    let second = run(seed, Mutant::None);
    if first == second {
        return first;
    }
    let broken = Broken {
        invariant: "the same seed gives the same history",
        by: format!("{:?} and {:?}", first.verdict, second.verdict),
    };
    Outcome {
        verdict: Err(broken),
        ..first
    }
}
