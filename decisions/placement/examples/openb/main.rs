//! How much of the graphics processors of the openb trace each policy gives away.
//!
//! `cargo run --release -p placement --example openb [SEEDS]`

#![expect(
    clippy::disallowed_methods,
    reason = "the data lies in files, and how many seeds is an argument"
)]

mod trace;

use placement::Weights;
use trace::{Policy, Trace};

fn main() {
    let seeds = std::env::args()
        .nth(1)
        .map_or(10, |seeds| seeds.parse().expect("a number"));
    let trace = Trace::read();
    let of = Policy::Scored;
    let policies = [
        ("random", Policy::Random, "87.47"),
        ("worst fit", of(Weights::worst_fit()), "-"),
        ("dot product", of(Weights::dot_product()), "90.85"),
        ("best fit", of(Weights::best_fit()), "93.08"),
        ("first fit", of(Weights::first_fit()), "-"),
        ("fragmentation", of(Weights::fragmentation_aware()), "95.39"),
    ];
    println!(
        "{} machines, {} tasks drawn to 130 % of the graphics processors, {seeds} seeds",
        trace.machines.len(),
        trace.tasks.len()
    );
    println!("given away, in percent:\n");
    println!("{:<14} {:>7} {:>5}   paper", "policy", "mean", "sd");
    for (name, policy, paper) in policies {
        let runs: Vec<f64> = (1..=seeds).map(|seed| trace.run(policy, seed)).collect();
        let count = f64::from(u32::try_from(runs.len()).unwrap_or(u32::MAX));
        let mean = runs.iter().sum::<f64>() / count;
        let squares: f64 = runs.iter().map(|run| (run - mean).powi(2)).sum();
        let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
        println!("{name:<14} {mean:>7.2} {deviation:>5.2}   {paper}");
    }
}
