//! Exactly once: joins of windows against the batch oracle.

use serde_json::{Value, json};

use crate::exact::{CARS, time};
use crate::oracle::{self, HOUR, MINUTE, different, golden, grouped, sorted};
use crate::queries::{cars, check, col, join, node, only, project, tumbling, window};

/// Different drivers of each hour by kind of event, joined on the hour.
fn joined(side: &str, p: u32, stepping: bool) -> Vec<Value> {
    let drivers = |name| {
        window(
            &[],
            tumbling(HOUR),
            &[(name, "count_distinct", "driver_id")],
        )
    };
    let columns = [
        ("hour", col("l_start")),
        ("right", col("r_start")),
        ("drivers", col("l_drivers")),
        ("pickups", col("r_pickups")),
    ];
    let right = match side {
        "inner" => only("event_type", "pickup"),
        // Hours in which only one side has rows.
        _ => only("location", "Portola"),
    };
    let mut columns = columns.to_vec();
    if side == "inner" {
        columns.remove(1);
    }
    vec![
        cars(MINUTE, stepping),
        node("off", p, &["in"], only("event_type", "dropoff")),
        node("left", p, &["off"], drivers("drivers")),
        node("on", p, &["in"], right),
        node("right", p, &["on"], drivers("pickups")),
        node("join", p, &["left", "right"], join(side)),
        node("new", p, &["join"], project(&columns)),
    ]
}

fn drivers_by_hour(keep: impl Fn(&oracle::Car) -> bool) -> std::collections::BTreeMap<i64, usize> {
    let rows = oracle::cars().into_iter().filter(|car| keep(car));
    let groups = grouped(rows.map(|car| (car.time - car.time % HOUR, car.driver)));
    groups
        .into_iter()
        .map(|(hour, drivers)| (hour, different(&drivers)))
        .collect()
}

#[test]
fn an_inner_join_of_windows() {
    let left = drivers_by_hour(|car| car.kind == "dropoff");
    let right = drivers_by_hour(|car| car.kind == "pickup");
    let rows = left.iter().filter_map(|(hour, drivers)| {
        let pickups = right.get(hour)?;
        Some(json!({ "hour": time(*hour), "drivers": drivers, "pickups": pickups }))
    });
    let expected: Vec<Value> = rows.collect();
    assert_eq!(sorted(&expected), sorted(&golden("windowed_inner_join")));
    check(CARS, &|p, stepping| joined("inner", p, stepping), &expected);
}

fn outer(side: &str) {
    let left = drivers_by_hour(|car| car.kind == "dropoff");
    let right = drivers_by_hour(|car| car.place == "Portola");
    let hours: Vec<i64> = left.keys().chain(right.keys()).copied().collect();
    let hours = grouped(hours.into_iter().map(|hour| (hour, ())));
    let of = |map: &std::collections::BTreeMap<i64, usize>, hour: i64| {
        map.contains_key(&hour).then(|| time(hour))
    };
    let kept = hours
        .into_keys()
        .filter(|hour| side == "full" || left.contains_key(hour));
    let expected: Vec<Value> = kept
        .map(|hour| {
            json!({
                "hour": of(&left, hour), "right": of(&right, hour),
                "drivers": left.get(&hour), "pickups": right.get(&hour),
            })
        })
        .collect();
    check(CARS, &|p, stepping| joined(side, p, stepping), &expected);
}

#[test]
fn a_full_outer_join_of_windows() {
    outer("full");
}

#[test]
fn a_left_outer_join_of_windows() {
    outer("left");
}
