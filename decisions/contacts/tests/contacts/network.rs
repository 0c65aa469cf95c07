//! The weeks of NASA's Deep Space Network.

use contacts::satnet::{Closed, Request, Way, Week};
use serde_json::Value;

use crate::data::read;

fn seconds(value: &Value, unit_s: f64) -> i64 {
    (value.as_f64().expect("a number") * unit_s).ceil() as i64
}

fn known<T: PartialEq>(names: &mut Vec<T>, name: T) -> usize {
    let place = names.iter().position(|other| *other == name);
    place.unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}

/// A week by its name, such as `W20_2018`.
pub(crate) fn week(name: &str) -> Week {
    let problems: Value = serde_json::from_str(&read("satnet/problems.json")).expect("JSON");
    let (mut missions, mut names) = (Vec::new(), Vec::new());
    let mut requests = Vec::new();
    for asked in problems[name].as_array().expect("a week") {
        let mut ways = Vec::new();
        for (resource, periods) in asked["resource_vp_dict"].as_object().expect("periods") {
            let antennas: Vec<usize> = resource
                .split('_')
                .map(|antenna| known(&mut names, antenna.to_owned()))
                .collect();
            for period in periods.as_array().expect("periods") {
                ways.push(Way {
                    antennas: antennas.clone(),
                    from_s: seconds(&period["TRX ON"], 1.0),
                    until_s: seconds(&period["TRX OFF"], 1.0),
                });
            }
        }
        // why: thirds of an hour are written rounded; a second more than is wanted is not meant.
        let want_s = (asked["duration"].as_f64().expect("hours") * 3_600.0).round() as i64;
        requests.push(Request {
            mission: known(&mut missions, asked["subject"].as_i64()),
            want_s,
            least_s: seconds(&asked["duration_min"], 3_600.0).min(want_s),
            setup_s: seconds(&asked["setup_time"], 60.0),
            teardown_s: seconds(&asked["teardown_time"], 60.0),
            ways,
        });
    }
    let starts = problems[name].as_array().into_iter().flatten();
    let starts = starts.filter_map(|asked| asked["time_window_start"].as_i64());
    let from_s = starts.min().expect("a request");
    let until_s = from_s + 648_000;
    let mut closed = Vec::new();
    for line in read("satnet/maintenance.csv").lines().skip(1) {
        let cells: Vec<&str> = line.trim().split(',').collect();
        let time = |at: usize| cells[at].parse::<f64>().expect("seconds") as i64;
        if time(2) < until_s && time(3) > from_s {
            closed.push(Closed {
                antenna: known(&mut names, cells[4].to_owned()),
                from_s: time(2),
                until_s: time(3),
            });
        }
    }
    let (antennas, missions) = (names.len(), missions.len());
    Week {
        from_s,
        until_s,
        antennas,
        missions,
        closed,
        requests,
    }
}
