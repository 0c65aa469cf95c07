//! A day of 78 real satellites over 15 real stations, beside an independent computation.

use crate::data;
use orbits::{Pass, Satellite, Sight, Span, Station, Tle, parse, predict};

/// 2026-05-31 00:00 UTC.
const DAY_MS: i64 = 1_780_185_600_000;
const HOUR_MS: i64 = 3_600_000;

struct Expected {
    rise_s: f64,
    set_s: f64,
    elevation_max_deg: f64,
}

fn stations() -> (Vec<String>, Vec<Station>) {
    let text = data::read("passes/stations15.csv");
    let station = |row: &Vec<&str>| {
        let number = |column: usize| row[column].parse::<f64>().unwrap();
        Station::new(number(2), number(3), number(4), 5.0).unwrap()
    };
    let rows = data::rows(&text);
    (
        rows.iter().map(|row| row[0].to_owned()).collect(),
        rows.iter().map(station).collect(),
    )
}

fn satellites() -> Vec<(Tle, Satellite)> {
    let tles = parse(&data::read("passes/satellites78.tle")).unwrap();
    tles.into_iter()
        .map(|tle| (tle.clone(), Satellite::new(&tle).unwrap()))
        .collect()
}

/// The table's passes rise inside the day; what sets after midnight is in it.
fn predicted(satellite: &Satellite, stations: &[Station]) -> Vec<Sight> {
    let span = Span {
        from_ms: DAY_MS,
        until_ms: DAY_MS + 25 * HOUR_MS,
    };
    predict(satellite, stations, span).unwrap()
}

fn in_table(pass: &&Pass) -> bool {
    !pass.begins_before && pass.rise_ms < DAY_MS + 24 * HOUR_MS
}

#[test]
fn the_day_has_the_reference_tables_passes_and_each_rises_and_sets_within_a_second_of_it() {
    let table = data::read("passes/passes_2026-05-31_el5.csv");
    let rows = data::rows(&table);
    let (names, stations) = stations();
    let (mut count, mut worst_rise_s, mut worst_set_s, mut worst_deg) =
        (0, 0.0_f64, 0.0_f64, 0.0_f64);
    for (tle, satellite) in satellites() {
        for (name, sight) in names.iter().zip(predicted(&satellite, &stations)) {
            let ours: Vec<&Pass> = sight.passes().iter().filter(in_table).collect();
            let theirs: Vec<Expected> = rows
                .iter()
                .filter(|row| row[0] == tle.name && row[2] == name)
                .map(|row| Expected {
                    rise_s: row[4].parse().unwrap(),
                    set_s: row[5].parse().unwrap(),
                    elevation_max_deg: row[7].parse().unwrap(),
                })
                .collect();
            assert_eq!(ours.len(), theirs.len(), "{} over {name}", tle.name);
            for (ours, theirs) in ours.iter().zip(&theirs) {
                let seconds = |ms: i64| (ms - DAY_MS) as f64 / 1_000.0;
                worst_rise_s = worst_rise_s.max((seconds(ours.rise_ms) - theirs.rise_s).abs());
                worst_set_s = worst_set_s.max((seconds(ours.set_ms) - theirs.set_s).abs());
                // Theirs is the highest of a grid of 10 s.
                let deg = ours.elevation_max_deg - theirs.elevation_max_deg;
                assert!(
                    deg > -0.06,
                    "{} over {name} culminates {deg} lower",
                    tle.name
                );
                worst_deg = worst_deg.max(deg);
                count += 1;
            }
        }
    }
    println!("{count} passes; rise within {worst_rise_s:.3} s, set within {worst_set_s:.3} s");
    println!("culmination at most {worst_deg:.2} deg above the table's grid of 10 s");
    assert_eq!(count, rows.len());
    assert!(
        worst_rise_s < 1.0 && worst_set_s < 1.0,
        "{worst_rise_s} s, {worst_set_s} s"
    );
}

#[test]
fn every_pass_that_a_look_every_five_seconds_sees_is_predicted() {
    let (_, stations) = stations();
    for (tle, satellite) in satellites().iter().step_by(19) {
        let sights = predicted(satellite, &stations);
        for (station, sight) in stations.iter().zip(&sights) {
            for second in (0..24 * 3_600).step_by(5) {
                let ms = DAY_MS + second * 1_000;
                let state = satellite.state(ms).unwrap();
                let up = orbits::look(station, &state, ms).elevation_deg >= 5.0;
                let within = |pass: &Pass| pass.rise_ms - 2 <= ms && ms <= pass.set_ms + 2;
                let inside = |pass: &Pass| pass.rise_ms + 2 <= ms && ms <= pass.set_ms - 2;
                let passes = sight.passes();
                assert!(
                    !up || passes.iter().any(within),
                    "{} is up at {ms}",
                    tle.name
                );
                assert!(
                    up || !passes.iter().any(inside),
                    "{} is down at {ms}",
                    tle.name
                );
            }
        }
    }
}
