//! Exactly once: queries of many kinds against the batch oracle, undisturbed and disturbed.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::oracle::{
    self, DAY, HOUR, MINUTE, SECOND, different, golden, grouped, sessions, sorted, windows,
};
use crate::queries::{
    cars, check, col, doubles, impulse, node, only, project, session, sliding, tumbling, window,
};

/// Rows between two checkpoints: of the cars, of the impulse.
pub(crate) const CARS: u64 = 700;
const IMPULSE: u64 = 9;

#[test]
fn a_projection_with_a_filter() {
    let double = json!({ "binary": [col("driver_id"), "multiply", { "literal": { "int": -2 } }] });
    let columns = [
        ("place", col("location")),
        ("x", double),
        ("at", col("timestamp")),
    ];
    let nodes = |p, stepping| {
        vec![
            cars(MINUTE, stepping),
            node("pick", p, &["in"], only("event_type", "pickup")),
            node("new", p, &["pick"], project(&columns)),
        ]
    };
    let picked = oracle::cars()
        .into_iter()
        .filter(|car| car.kind == "pickup");
    let expected: Vec<Value> = picked
        .map(|car| json!({ "place": car.place, "x": -2 * car.driver, "at": time(car.time) }))
        .collect();
    check(CARS, &nodes, &expected);
}

/// A time as the engine writes none: the normal form of both is the microseconds.
pub(crate) fn time(micros: i64) -> Value {
    json!(micros.to_string())
}

#[test]
fn casts() {
    let text = json!({ "cast": [col("driver_id"), "text"] });
    let float = json!({ "cast": [col("driver_id"), "float"] });
    let columns = [("text", text), ("float", float)];
    let nodes = |p, stepping| {
        vec![
            cars(MINUTE, stepping),
            node("cast", p, &["in"], project(&columns)),
        ]
    };
    let rows = oracle::cars().into_iter();
    let expected: Vec<Value> = rows
        .map(|car| json!({ "text": car.driver.to_string(), "float": car.driver as f64 }))
        .collect();
    check(CARS, &nodes, &expected);
}

#[test]
fn a_union_of_two_sources() {
    let named = |name: &str| {
        let literal = json!({ "literal": { "text": name } });
        project(&[("n", col("counter")), ("from", literal)])
    };
    let nodes = |p, stepping| {
        vec![
            impulse("in-a", stepping),
            impulse("in-b", stepping),
            node("a", p, &["in-a"], named("a")),
            node("b", p, &["in-b"], named("b")),
            node("both", p, &["a", "b"], json!({ "kind": "union" })),
        ]
    };
    let both = ["a", "b"].iter().flat_map(|from| {
        let rows = oracle::impulse().into_iter();
        rows.map(move |(_, n)| json!({ "n": n, "from": from }))
    });
    check(IMPULSE, &nodes, &both.collect::<Vec<_>>());
}

#[test]
fn two_filters_into_one_sink() {
    let less = |n: i64| {
        let predicate = json!({ "binary": [col("counter"), "less", { "literal": { "int": n } }] });
        json!({ "kind": "filter", "predicate": predicate })
    };
    let nodes = |p, stepping| {
        vec![
            impulse("in", stepping),
            node("few", p, &["in"], less(30)),
            node("more", p, &["in"], less(48)),
            node("both", p, &["few", "more"], json!({ "kind": "union" })),
        ]
    };
    let rows = oracle::impulse().into_iter();
    let rows = rows.flat_map(|(at, n)| {
        let row = json!({ "counter": n, "timestamp": time(at) });
        let times = usize::from(n < 30) + usize::from(n < 48);
        std::iter::repeat_n(row, times)
    });
    check(IMPULSE, &nodes, &rows.collect::<Vec<_>>());
}

#[test]
fn keyed_tumbling_windows() {
    let columns = [
        ("event_type", col("event_type")),
        ("hour", col("start")),
        ("count", col("count")),
    ];
    let nodes = |p, stepping| {
        let hourly = window(&["event_type"], tumbling(HOUR), &[("count", "count", "")]);
        vec![
            cars(MINUTE, stepping),
            node("hourly", p, &["in"], hourly),
            node("new", p, &["hourly"], project(&columns)),
        ]
    };
    let rows = oracle::cars().into_iter();
    let groups = grouped(rows.map(|car| ((car.kind, car.time - car.time % HOUR), ())));
    let expected: Vec<Value> = groups
        .iter()
        .map(|((kind, hour), rows)| {
            json!({ "event_type": kind, "hour": time(*hour), "count": rows.len() })
        })
        .collect();
    assert_eq!(sorted(&expected), sorted(&golden("hourly_by_event_type")));
    check(CARS, &nodes, &expected);
}

#[test]
fn out_of_order_input_under_a_tight_watermark() {
    let columns = [("timestamp", col("end")), ("count", col("count"))];
    let nodes = |p, stepping| {
        let hourly = window(&[], tumbling(HOUR), &[("count", "count", "")]);
        vec![
            cars(0, stepping),
            node("hourly", p, &["in"], hourly),
            node("new", p, &["hourly"], project(&columns)),
        ]
    };
    let groups = grouped(
        oracle::cars()
            .iter()
            .map(|car| (car.time - car.time % HOUR, ())),
    );
    let expected: Vec<Value> = groups
        .iter()
        .map(|(hour, rows)| json!({ "timestamp": time(hour + HOUR), "count": rows.len() }))
        .collect();
    assert_eq!(sorted(&expected), sorted(&golden("tight_watermark")));
    check(CARS, &nodes, &expected);
}

#[test]
fn a_window_of_thirty_days_with_all_aggregates() {
    let aggregates = [
        ("n", "count", ""),
        ("sum", "sum", "driver_id"),
        ("avg", "avg", "driver_id"),
        ("least", "min", "location"),
        ("last", "max", "timestamp"),
        ("places", "count_distinct", "location"),
    ];
    let nodes = |p, stepping| {
        let month = window(&["event_type"], tumbling(30 * DAY), &aggregates);
        vec![cars(MINUTE, stepping), node("month", p, &["in"], month)]
    };
    let rows = oracle::cars().into_iter();
    let groups = grouped(rows.map(|car| ((car.kind.clone(), car.time / (30 * DAY)), car)));
    let expected: Vec<Value> = groups
        .iter()
        .map(|((kind, month), cars)| {
            let sum: i64 = cars.iter().map(|car| car.driver).sum();
            let places: Vec<&String> = cars.iter().map(|car| &car.place).collect();
            let start = month * 30 * DAY;
            json!({
                "event_type": kind, "start": time(start), "end": time(start + 30 * DAY),
                "n": cars.len(), "sum": sum, "avg": sum as f64 / cars.len() as f64,
                "least": places.iter().min().unwrap(), "places": different(&places),
                "last": time(cars.iter().map(|car| car.time).max().unwrap()),
            })
        })
        .collect();
    check(CARS, &nodes, &expected);
}

#[test]
fn sliding_windows_with_partial_ones_at_both_ends() {
    let aggregates = [
        ("count", "count", ""),
        ("min", "min", "counter"),
        ("max", "max", "counter"),
    ];
    let nodes = |p, stepping| {
        let hop = window(&[], sliding(2 * SECOND, 10 * SECOND), &aggregates);
        vec![impulse("in", stepping), node("hop", p, &["in"], hop)]
    };
    let rows = oracle::impulse().into_iter();
    let rows = rows.flat_map(|(at, n)| {
        windows(at, 2 * SECOND, 10 * SECOND)
            .into_iter()
            .map(move |start| (start, n))
    });
    let expected: Vec<Value> = grouped(rows)
        .iter()
        .map(|(start, n)| {
            json!({
                "start": time(*start), "end": time(start + 10 * SECOND), "count": n.len(),
                "min": n.iter().min(), "max": n.iter().max(),
            })
        })
        .collect();
    assert_eq!(sorted(&expected), sorted(&golden("sliding_window_end")));
    check(IMPULSE, &nodes, &expected);
}

#[test]
fn keyed_sliding_windows() {
    let aggregates = [
        ("n", "count", ""),
        ("drivers", "count_distinct", "driver_id"),
    ];
    let nodes = |p, stepping| {
        let hop = window(&["location"], sliding(15 * MINUTE, HOUR), &aggregates);
        vec![cars(MINUTE, stepping), node("hop", p, &["in"], hop)]
    };
    let rows = oracle::cars().into_iter().flat_map(|car| {
        let starts = windows(car.time, 15 * MINUTE, HOUR).into_iter();
        starts.map(move |start| ((car.place.clone(), start), car.driver))
    });
    let expected: Vec<Value> = grouped(rows)
        .iter()
        .map(|((place, start), drivers)| {
            json!({
                "location": place, "start": time(*start), "end": time(start + HOUR),
                "n": drivers.len(), "drivers": different(drivers),
            })
        })
        .collect();
    check(CARS, &nodes, &expected);
}

#[test]
fn one_session_of_all_rows() {
    let columns = [
        ("start", col("start")),
        ("end", col("end")),
        ("rows", col("rows")),
    ];
    let nodes = |p, stepping| {
        let all = window(&[], session(20 * SECOND), &[("rows", "count", "")]);
        vec![
            impulse("in", stepping),
            node("session", p, &["in"], all),
            node("new", p, &["session"], project(&columns)),
        ]
    };
    let times = oracle::impulse().into_iter().map(|(at, _)| at).collect();
    let expected: Vec<Value> = sessions(times, 20 * SECOND)
        .iter()
        .map(|(first, last, rows)| {
            json!({ "start": time(*first), "end": time(last + 20 * SECOND), "rows": rows })
        })
        .collect();
    assert_eq!(sorted(&expected), sorted(&golden("global_session_window")));
    check(IMPULSE, &nodes, &expected);
}

#[test]
fn keyed_sessions() {
    let nodes = |p, stepping| {
        let visits = window(
            &["driver_id"],
            session(20 * MINUTE),
            &[("rows", "count", "")],
        );
        vec![cars(MINUTE, stepping), node("visits", p, &["in"], visits)]
    };
    let groups = grouped(oracle::cars().iter().map(|car| (car.driver, car.time)));
    let of = |(driver, times): (i64, Vec<i64>)| {
        sessions(times, 20 * MINUTE)
            .into_iter()
            .map(move |(first, last, rows)| {
                json!({
                    "driver_id": driver, "start": time(first),
                    "end": time(last + 20 * MINUTE), "rows": rows,
                })
            })
    };
    check(
        CARS,
        &nodes,
        &groups.into_iter().flat_map(of).collect::<Vec<_>>(),
    );
}

#[test]
fn a_window_over_the_windows_of_another() {
    let nodes = |p, stepping| {
        let of_driver = window(
            &["driver_id", "event_type"],
            tumbling(HOUR),
            &[("n", "count", "")],
        );
        let most = window(&["start"], json!("same"), &[("most", "max", "n")]);
        vec![
            cars(MINUTE, stepping),
            node("each", p, &["in"], of_driver),
            node("most", p, &["each"], most),
        ]
    };
    let rows = oracle::cars().into_iter();
    let rows = rows.map(|car| ((car.time - car.time % HOUR, car.driver, car.kind), ()));
    let counts = grouped(rows)
        .into_iter()
        .map(|((hour, ..), rows)| (hour, rows.len()));
    let expected: Vec<Value> = grouped(counts)
        .iter()
        .map(|(hour, counts)| json!({ "start": time(*hour), "most": counts.iter().max() }))
        .collect();
    check(CARS, &nodes, &expected);
}

#[test]
fn wider_windows_over_windows() {
    let nodes = |p, stepping| {
        let each = window(&["location"], tumbling(MINUTE), &[("n", "count", "")]);
        let sum = window(&["location"], tumbling(4 * HOUR), &[("sum", "sum", "n")]);
        vec![
            cars(MINUTE, stepping),
            node("each", p, &["in"], each),
            node("sum", p, &["each"], sum),
        ]
    };
    let rows = oracle::cars().into_iter();
    let groups = grouped(rows.map(|car| ((car.place, car.time - car.time % (4 * HOUR)), ())));
    let expected: Vec<Value> = groups
        .iter()
        .map(|((place, start), rows)| {
            json!({
                "location": place, "start": time(*start),
                "end": time(start + 4 * HOUR), "sum": rows.len(),
            })
        })
        .collect();
    check(CARS, &nodes, &expected);
}

#[test]
fn the_most_active_driver_of_each_window() {
    let nodes = |p, stepping| {
        let each = window(
            &["driver_id"],
            sliding(10 * MINUTE, HOUR),
            &[("n", "count", "")],
        );
        let order = json!([{ "column": "n", "descending": true }, { "column": "driver_id" }]);
        let top = json!({
            "kind": "top", "keys": ["start"], "order": order, "limit": 1, "number": "place",
        });
        vec![
            cars(MINUTE, stepping),
            node("each", p, &["in"], each),
            node("top", p, &["each"], top),
        ]
    };
    let most_active = oracle::most_active(10 * MINUTE, HOUR).into_iter();
    let expected: Vec<Value> = most_active
        .map(|(start, driver, n)| {
            json!({
                "driver_id": driver, "start": time(start), "end": time(start + HOUR),
                "n": n, "place": 1,
            })
        })
        .collect();
    check(CARS, &nodes, &expected);
}

#[test]
fn lists_of_a_window_and_their_items() {
    let nodes = |p, stepping| {
        let all = window(&[], tumbling(3 * SECOND), &[("n", "array_agg", "counter")]);
        let unnest = json!({ "kind": "unnest", "column": "n" });
        vec![
            impulse("in", stepping),
            node("all", p, &["in"], all),
            node("each", p, &["all"], unnest),
        ]
    };
    let rows = oracle::impulse().into_iter();
    let expected: Vec<Value> = rows
        .map(|(at, n)| {
            let start = at - at % (3 * SECOND);
            json!({ "start": time(start), "end": time(start + 3 * SECOND), "n": n })
        })
        .collect();
    check(IMPULSE, &nodes, &expected);
}

#[test]
fn minus_zero_is_the_key_zero() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("doubles.json");
    let mut file = std::fs::File::create(&path).unwrap();
    for row in 0..100 {
        let x = ["0.0", "-0.0", "1.5", "-0.0"][row % 4];
        writeln!(
            file,
            "{{\"timestamp\":\"2024-01-01T00:00:{:02}Z\",\"x\":{x}}}",
            row / 4
        )
        .unwrap();
    }
    let nodes = |p, stepping| {
        let count = [("n", "count", ""), ("different", "count_distinct", "x")];
        let each = window(&["x"], tumbling(MINUTE), &count);
        let columns = [
            ("x", col("x")),
            ("n", col("n")),
            ("different", col("different")),
        ];
        vec![
            doubles(&path, stepping),
            node("each", p, &["in"], each),
            node("new", p, &["each"], project(&columns)),
        ]
    };
    let row = |x: f64, n: i64| json!({ "x": x, "n": n, "different": 1 });
    check(IMPULSE, &nodes, &[row(0.0, 75), row(1.5, 25)]);
}
