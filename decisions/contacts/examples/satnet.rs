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
#[path = "../tests/contacts/network.rs"]
mod network;

use contacts::satnet::{check, solve};

const DEFAULT_STEPS: u64 = 200_000;

/// Hours, `U_rms`, `U_max` and satisfied requests of others, from the data's README.
const OTHERS: [(&str, [&str; 2]); 5] = [
    (
        "delta-MILP",
        ["1059 / 0.210 / 0.64 / 249", "816 / 0.350 / 0.60 / 197"],
    ),
    (
        "RL PPO",
        ["1000 / 0.270 / 0.81 / 223", "879 / 0.360 / 0.67 / 185"],
    ),
    (
        "EDF",
        ["1047 / 0.240 / 0.73 / 244", "849 / 0.347 / 0.78 / 205"],
    ),
    (
        "mission-fair",
        ["1060 / 0.216 / 0.56 / 235", "855 / 0.308 / 0.43 / 191"],
    ),
    (
        "squeaky-wheel",
        ["1145 / 0.163 / 0.55 / 251", "869 / 0.294 / 0.54 / 196"],
    ),
];

fn main() {
    let asked = std::env::args().nth(1).and_then(|steps| steps.parse().ok());
    let steps = asked.unwrap_or(DEFAULT_STEPS);
    println!("week  who            hours / U_rms / U_max / satisfied");
    for (place, name) in ["W20", "W50"].into_iter().enumerate() {
        for (who, figures) in OTHERS {
            println!("{name}   {who:<13}  {}", figures[place]);
        }
        let week = network::week(&format!("{name}_2018"));
        let began = std::time::Instant::now();
        let tracks = solve(&week, 1, steps);
        let took = began.elapsed().as_secs_f64();
        let score = check(&week, &tracks).expect("every plan passes the checker");
        println!(
            "{name}   ours           {:.0} / {:.3} / {:.2} / {}   ({took:.1} s)",
            score.hours, score.u_rms, score.u_max, score.satisfied
        );
    }
}
