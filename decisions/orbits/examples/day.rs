//! A day of 78 satellites over 15 stations, and how long it takes to predict it.
//!
//! `cargo run --release -p orbits --example day`

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the data lies in files, and the example measures"
)]

use std::error::Error;
use std::time::Duration;

#[path = "../tests/orbits/data.rs"]
#[expect(dead_code, reason = "the example needs one file of it")]
mod data;

use orbits::{Satellite, Span, Station, parse, predict};

/// 2026-05-31 00:00 UTC.
const DAY_MS: i64 = 1_780_185_600_000;
const ROUNDS: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let tles = data::read("passes/satellites78.tle");
    let table = data::read("passes/stations15.csv");
    let mut stations = Vec::new();
    for row in table.lines().skip(1) {
        let numbers: Vec<f64> = row.split(',').skip(2).flat_map(str::parse).collect();
        stations.push(Station::new(numbers[0], numbers[1], numbers[2], 5.0)?);
    }
    let mut best = Duration::MAX;
    let (mut passes, mut satellites) = (0, 0);
    for _ in 0..ROUNDS {
        let began = std::time::Instant::now();
        (passes, satellites) = (0, 0);
        for tle in parse(&tles)? {
            let satellite = Satellite::new(&tle)?;
            let span = Span {
                from_ms: DAY_MS,
                until_ms: DAY_MS + 86_400_000,
            };
            let sights = predict(&satellite, &stations, span)?;
            passes += sights
                .iter()
                .map(|sight| sight.passes().len())
                .sum::<usize>();
            satellites += 1;
        }
        best = best.min(began.elapsed());
    }
    println!(
        "{satellites} satellites over {} stations: {passes} passes in the day, found in {:.1} ms",
        stations.len(),
        best.as_secs_f64() * 1_000.0
    );
    Ok(())
}
