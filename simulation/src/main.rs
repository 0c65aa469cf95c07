//! Runs seeds of the simulation, and replays the one that failed.

use std::process::ExitCode;

use clap::Parser;
use simulation::{Outcome, run_twice};

/// Runs the production decisions in a fake world, each seed twice.
///
/// Example: `cargo run --release -p simulation -- --from 1000 --seeds 100000`
#[derive(Debug, Parser)]
struct Request {
    /// Run this one seed, and describe it.
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds to run.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
}

fn main() -> ExitCode {
    let Request { seed, seeds, from } = Request::parse();
    let (from, seeds) = seed.map_or((from, seeds), |seed| (seed, 1));
    let mut void = 0;
    for seed in from..from.saturating_add(seeds) {
        let outcome = run_twice(seed);
        if outcome.verdict.is_err() || seeds == 1 {
            describe(&outcome);
        }
        if outcome.verdict.is_err() {
            return ExitCode::FAILURE;
        }
        void += u64::from(outcome.is_void());
    }
    println!("{seeds} seeds from {from}: all well, {void} void");
    ExitCode::SUCCESS
}

fn describe(outcome: &Outcome) {
    let seed = outcome.seed;
    match &outcome.verdict {
        Ok(hash) => println!("seed {seed}: all well, history {hash:016x}"),
        Err(broken) => {
            println!("seed {seed}: broken: {}: {}", broken.invariant, broken.by);
            println!("replay: {}", outcome.replay());
        }
    }
    println!("{:#?}", outcome.traffic);
}
