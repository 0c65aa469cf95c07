//! The day's 1,404 requests over 15 stations with 1, 2 and 3 antennas each.
//!
//! `cargo run --release -p contacts --example antennas`

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the data lies in files, and the example measures"
)]

#[path = "../tests/contacts/data.rs"]
#[expect(dead_code, reason = "the weeks are for the other example")]
mod data;

use contacts::{Plan, Problem, Rule, bound, check, greedy, improve};

const STEPS: u64 = 3_000_000;

fn main() {
    println!("antennas  possible  earliest end  fewest first  ours  bound  of the bound  seconds");
    for antennas in 1..=3 {
        let problem = data::day(antennas);
        let possible = problem.requests().len() - problem.impossible().count();
        let earliest = judged(&problem, &greedy(&problem, Rule::EarliestEnd));
        let fewest = judged(&problem, &greedy(&problem, Rule::FewestAlternatives));
        let began = std::time::Instant::now();
        let ours = judged(&problem, &improve(&problem, 1, STEPS));
        let took = began.elapsed().as_secs_f64();
        let most = bound(&problem, ours as u64, 3_000);
        let share = 100.0 * ours as f64 / most as f64;
        println!(
            "{antennas:>8}  {possible:>8}  {earliest:>12}  {fewest:>12}  {ours:>4}  {most:>5}  \
             {share:>10.2} %  {took:>7.2}"
        );
    }
    let impossible: Vec<String> = data::day(1).impossible().map(|at| at.to_string()).collect();
    println!(
        "{} requests have no pass at all: {}",
        impossible.len(),
        impossible.join(" ")
    );
}

fn judged(problem: &Problem, plan: &Plan) -> usize {
    check(problem, plan).expect("every plan passes the checker");
    plan.served()
}
