//! Two weeks of NASA's Deep Space Network, beside what is published.
//!
//! `cargo run --release -p contacts --example satnet`

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the data lies in files, and the example measures"
)]

#[path = "../tests/contacts/data.rs"]
#[expect(dead_code, reason = "the day is for the other example")]
mod data;

use contacts::satnet::{Score, check, published, solve};

const DEFAULT_STEPS: u64 = 200_000;

fn main() {
    let asked = std::env::args().nth(1).and_then(|steps| steps.parse().ok());
    let steps = asked.unwrap_or(DEFAULT_STEPS);
    println!("week      who                        hours / U_rms / U_max / satisfied");
    for name in ["W20_2018", "W50_2018"] {
        for rival in published(name) {
            println!("{name}  {:<25}  {}", rival.who, figures(&rival.score));
        }
        let week = data::network(name).week;
        let began = std::time::Instant::now();
        let tracks = solve(&week, 1, steps);
        let took = began.elapsed().as_secs_f64();
        let score = check(&week, &tracks).expect("every plan passes the checker");
        println!(
            "{name}  {:<25}  {}   ({took:.1} s)",
            "ours",
            figures(&score)
        );
    }
}

fn figures(score: &Score) -> String {
    format!(
        "{:>5.0} / {:.3} / {:.2} / {}",
        score.hours, score.u_rms, score.u_max, score.satisfied
    )
}
