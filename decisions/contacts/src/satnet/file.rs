//! Reads the files of the `SatNet` data set.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use super::model::{Closed, Request, Way, Week, WeekError};

/// How long after its first request a week ends: seven and a half days.
const WEEK_S: i64 = 648_000;

/// A week, with the names that its numbers stand for.
#[derive(Debug, Clone)]
pub struct Network {
    /// The week.
    pub week: Week,
    /// Its name in the file, as in `W20_2018`.
    pub name: String,
    /// The antennas' names, as in `DSS-14`.
    pub antennas: Vec<String>,
    /// The missions' numbers.
    pub missions: Vec<i64>,
    /// The requests' ids, as in `e9984220-3-1`.
    pub requests: Vec<String>,
}

/// Why a file is no week, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileError {
    /// The problems are not in the form they should have.
    #[error("the problems: {0}")]
    Json(String),
    /// The week is not in the file.
    #[error("there is no week {asked}; there are {}", known.join(", "))]
    NoWeek {
        /// The name that was asked for.
        asked: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A number of a request is out of all proportion.
    #[error("request {index} ({id}): {what} is {value}")]
    Number {
        /// Its place in the week, from 0.
        index: usize,
        /// Its id.
        id: String,
        /// Which of its numbers.
        what: &'static str,
        /// The number, as it was read.
        value: String,
    },
    /// A line of the maintenance cannot be read.
    #[error("the maintenance, line {line}: {what}")]
    Maintenance {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Numbers that do not fit together.
    #[error("{0}")]
    Week(#[from] WeekError),
}

#[derive(Deserialize)]
struct Asked {
    subject: i64,
    track_id: String,
    duration: f64,
    duration_min: f64,
    setup_time: f64,
    teardown_time: f64,
    time_window_start: i64,
    resource_vp_dict: BTreeMap<String, Vec<Period>>,
}

#[derive(Deserialize)]
struct Period {
    #[serde(rename = "TRX ON")]
    on: f64,
    #[serde(rename = "TRX OFF")]
    off: f64,
}

/// A week by its name (`W20_2018`, `W20` or `20`) from `problems.json` and `maintenance.csv`.
///
/// # Errors
///
/// [`FileError`] says what is wrong, and with which request or line.
pub fn read(problems: &str, maintenance: &str, name: &str) -> Result<Network, FileError> {
    let json = |error: serde_json::Error| FileError::Json(error.to_string());
    let mut weeks: BTreeMap<String, Vec<Asked>> = serde_json::from_str(problems).map_err(json)?;
    let number = |name: &str| name.trim_start_matches(['W', 'w']).to_owned();
    let meant = |key: &&String| {
        let (key, name) = (number(key), number(name));
        key == name || key.split('_').next() == Some(name.as_str())
    };
    let found: Vec<String> = weeks.keys().filter(meant).cloned().collect();
    let [key] = found.as_slice() else {
        return Err(FileError::NoWeek {
            asked: name.to_owned(),
            known: weeks.into_keys().collect(),
        });
    };
    let asked = weeks.remove(key).unwrap_or_default();
    network(key, &asked, maintenance)
}

fn network(name: &str, asked: &[Asked], maintenance: &str) -> Result<Network, FileError> {
    let (mut antennas, mut missions) = (Vec::new(), Vec::new());
    let mut requests = Vec::with_capacity(asked.len());
    for (index, one) in asked.iter().enumerate() {
        requests.push(request(index, one, &mut antennas, &mut missions)?);
    }
    let starts = asked.iter().map(|one| one.time_window_start);
    let from_s = starts.min().unwrap_or(0);
    let until_s = from_s.saturating_add(WEEK_S);
    let mut closed = Vec::new();
    for (antenna, from, until) in shut(maintenance)? {
        if from < until_s && until > from_s {
            closed.push(Closed {
                antenna: known(&mut antennas, antenna.to_owned()),
                from_s: from,
                until_s: until,
            });
        }
    }
    let span_s = from_s..until_s;
    Ok(Network {
        week: Week::new(span_s, antennas.len(), missions.len(), closed, requests)?,
        name: name.to_owned(),
        antennas,
        missions,
        requests: asked.iter().map(|one| one.track_id.clone()).collect(),
    })
}

fn request(
    index: usize,
    asked: &Asked,
    antennas: &mut Vec<String>,
    missions: &mut Vec<i64>,
) -> Result<Request, FileError> {
    let seconds = |what, value: f64, unit_s: f64| {
        let whole = whole(value * unit_s);
        whole.ok_or_else(|| FileError::Number {
            index,
            id: asked.track_id.clone(),
            what,
            value: value.to_string(),
        })
    };
    let mut ways = Vec::new();
    for (resource, periods) in &asked.resource_vp_dict {
        let names = resource.split('_');
        let used: Vec<usize> = names.map(|name| known(antennas, name.to_owned())).collect();
        for period in periods {
            ways.push(Way {
                antennas: used.clone(),
                from_s: seconds("TRX ON", period.on, 1.0)?,
                until_s: seconds("TRX OFF", period.off, 1.0)?,
            });
        }
    }
    // why: thirds of an hour are written rounded; a second more than is wanted is not meant.
    let want_s = seconds("duration", (asked.duration * 3_600.0).round(), 1.0)?;
    Ok(Request {
        mission: known(missions, asked.subject),
        want_s,
        least_s: seconds("duration_min", asked.duration_min, 3_600.0)?.min(want_s),
        setup_s: seconds("setup_time", asked.setup_time, 60.0)?,
        teardown_s: seconds("teardown_time", asked.teardown_time, 60.0)?,
        ways,
    })
}

/// Antenna, begin and end of each line of the maintenance.
fn shut(text: &str) -> Result<Vec<(&str, i64, i64)>, FileError> {
    let mut rows = Vec::new();
    for (place, line) in text.lines().enumerate().skip(1) {
        let wrong = |what| FileError::Maintenance {
            line: place + 1,
            what,
        };
        let cells: Vec<&str> = line.trim().split(',').collect();
        let [_, _, from, until, antenna] = cells.as_slice() else {
            return Err(wrong("it has not five cells"));
        };
        let time = |cell: &str| cell.parse::<f64>().ok().and_then(whole);
        let (Some(from_s), Some(until_s)) = (time(from), time(until)) else {
            return Err(wrong("begin and end are no seconds"));
        };
        rows.push((*antenna, from_s, until_s));
    }
    Ok(rows)
}

/// The next whole number, unless it is out of all proportion; less than a microsecond is dust.
fn whole(value: f64) -> Option<i64> {
    (value.abs() < 1e12).then(|| (value - 1e-6).ceil() as i64)
}

fn known<T: PartialEq>(names: &mut Vec<T>, name: T) -> usize {
    let place = names.iter().position(|other| *other == name);
    place.unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}
