//! A batch oracle: all rows at once, in plain loops. It shares nothing with the engine.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::streams;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A row of `cars.json`.
pub(crate) struct Car {
    pub(crate) time: i64,
    pub(crate) driver: i64,
    pub(crate) kind: String,
    pub(crate) place: String,
}

fn lines(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(streams().join(file)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(crate) fn cars() -> Vec<Car> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_string();
    let car = |row: Value| Car {
        time: micros(row["timestamp"].as_str().unwrap()).unwrap(),
        driver: row["driver_id"].as_i64().unwrap(),
        kind: text(&row, "event_type"),
        place: text(&row, "location"),
    };
    lines("cars.json").into_iter().map(car).collect()
}

/// The times and counters of `impulse.json`.
pub(crate) fn impulse() -> Vec<(i64, i64)> {
    let of = |row: Value| {
        let time = micros(row["timestamp"].as_str().unwrap()).unwrap();
        (time, row["counter"].as_i64().unwrap())
    };
    lines("impulse.json").into_iter().map(of).collect()
}

/// One of the outputs that came with the inputs.
pub(crate) fn golden(name: &str) -> Vec<Value> {
    lines(&format!("expected/{name}.json"))
}

/// Microseconds since 1970 of a time in UTC; days are counted year by year and month by month.
pub(crate) fn micros(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    if text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut days: i64 = (1970..year).map(|y| 365 + i64::from(leap(y))).sum();
    let lengths = [
        31,
        28 + i64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    days += lengths.iter().take(month as usize - 1).sum::<i64>() + day - 1;
    let of_day = number(11, 13)? * HOUR + number(14, 16)? * MINUTE + number(17, 19)? * SECOND;
    let fraction = text[19..].strip_prefix('.').unwrap_or("");
    let digits: String = fraction.chars().take_while(char::is_ascii_digit).collect();
    let fraction: i64 = format!("{digits:0<6}").parse().ok()?;
    Some(days * DAY + of_day + fraction)
}

/// A row in a form that equals that of any other way to write it; the last bit of a double is lost
/// when JSON is read.
pub(crate) fn normal(row: &Value) -> String {
    let of = |value: &Value| match value {
        Value::String(text) => micros(text).map_or_else(|| text.clone(), |time| time.to_string()),
        Value::Number(number) => format!("{:.9}", number.as_f64().unwrap()),
        other => other.to_string(),
    };
    let columns = row.as_object().expect("a row is an object").iter();
    let columns: BTreeMap<&String, String> = columns.map(|(k, v)| (k, of(v))).collect();
    format!("{columns:?}")
}

/// Rows in their normal form, sorted.
pub(crate) fn sorted(rows: &[Value]) -> Vec<String> {
    let mut rows: Vec<String> = rows.iter().map(normal).collect();
    rows.sort();
    rows
}

/// Starts of the windows that hold this time.
pub(crate) fn windows(time: i64, slide: i64, width: i64) -> Vec<i64> {
    let mut start = time - time % slide;
    let mut starts = Vec::new();
    while start + width > time {
        starts.push(start);
        start -= slide;
    }
    starts
}

pub(crate) fn grouped<K: Ord, V>(rows: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, Vec<V>> {
    let mut groups: BTreeMap<K, Vec<V>> = BTreeMap::new();
    for (key, value) in rows {
        groups.entry(key).or_default().push(value);
    }
    groups
}

/// Of each window its start, the driver with the most events (of several the one with the least
/// number), and how many these are.
pub(crate) fn most_active(slide: i64, width: i64) -> Vec<(i64, i64, usize)> {
    let rows = cars().into_iter().flat_map(|car| {
        let starts = windows(car.time, slide, width).into_iter();
        starts.map(move |start| ((start, car.driver), ()))
    });
    let counts = grouped(rows).into_iter();
    let counts = grouped(counts.map(|((start, driver), rows)| (start, (rows.len(), -driver))));
    let most = |(start, counts): (i64, Vec<(usize, i64)>)| {
        let (n, driver) = counts.into_iter().max().expect("a group is of something");
        (start, -driver, n)
    };
    counts.into_iter().map(most).collect()
}

/// How many are different.
pub(crate) fn different<V: Ord + Clone>(values: &[V]) -> usize {
    let mut values = values.to_vec();
    values.sort();
    values.dedup();
    values.len()
}

/// First and last time and number of rows of each session.
pub(crate) fn sessions(mut times: Vec<i64>, gap: i64) -> Vec<(i64, i64, usize)> {
    times.sort_unstable();
    let mut sessions: Vec<(i64, i64, usize)> = Vec::new();
    for time in times {
        match sessions.last_mut() {
            Some(open) if time - open.1 < gap => *open = (open.0, time, open.2 + 1),
            _ => sessions.push((time, time, 1)),
        }
    }
    sessions
}
