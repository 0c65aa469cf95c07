//! Plans for the Deep Space Network, and what its checker refuses.

use std::collections::BTreeMap;

use contacts::satnet::{
    Closed, Fault, Network, Request, Track, Way, Week, WeekError, check, published, read, solve,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::data::{self, network};

const HOUR_S: i64 = 3_600;

/// One antenna in maintenance, a request of 9 h that may be split, a short one of that mission.
fn parts() -> (Closed, Vec<Request>) {
    let way = |antenna| Way {
        antennas: vec![antenna],
        from_s: 10 * HOUR_S,
        until_s: 30 * HOUR_S,
    };
    let asked = |hours, antenna| Request {
        mission: 0,
        want_s: hours * HOUR_S,
        least_s: hours * HOUR_S,
        setup_s: HOUR_S,
        teardown_s: HOUR_S,
        ways: vec![way(0), way(antenna)],
    };
    let closed = Closed {
        antenna: 0,
        from_s: 20 * HOUR_S,
        until_s: 21 * HOUR_S,
    };
    (closed, vec![asked(9, 1), asked(2, 1)])
}

/// A week of 40 h with two antennas and one mission.
fn week_of((closed, requests): (Closed, Vec<Request>)) -> Result<Week, WeekError> {
    Week::new(0..40 * HOUR_S, 2, 1, vec![closed], requests)
}

fn small() -> Week {
    week_of(parts()).expect("a week")
}

fn track(request: usize, way: usize, from_h: i64, until_h: i64) -> Track {
    Track {
        request,
        way,
        on_s: from_h * HOUR_S,
        off_s: until_h * HOUR_S,
    }
}

#[test]
fn real_weeks_get_plans_that_the_checker_accepts_and_scores() {
    for name in ["W20_2018", "W50_2018"] {
        let week = network(name).week;
        let tracks = solve(&week, 1, 100);
        let score = check(&week, &tracks).expect("a plan that can be flown");
        assert!(
            score.hours > 700.0 && score.satisfied > 150,
            "{name}: {score:?}"
        );
        assert!(
            score.u_rms < 0.5 && score.u_rms <= score.u_max,
            "{name}: {score:?}"
        );
        assert_eq!(tracks, solve(&week, 1, 100), "{name}: the same seed");
    }
}

#[test]
fn a_long_request_is_split_around_maintenance_when_it_must_be() {
    let (mut closed, mut requests) = parts();
    requests.truncate(1);
    requests[0].ways.truncate(1);
    requests[0].ways[0].until_s = 27 * HOUR_S;
    let pieces = |parts| {
        let week = week_of(parts).expect("a week");
        let tracks = solve(&week, 1, 50);
        let score = check(&week, &tracks).expect("a plan that can be flown");
        (tracks.len(), score.satisfied)
    };
    let whole = pieces((closed, requests.clone()));
    assert_eq!(whole, (1, 1), "9 h fit before the maintenance");
    (closed.from_s, closed.until_s) = (18 * HOUR_S, 19 * HOUR_S);
    assert_eq!(
        pieces((closed, requests)),
        (2, 1),
        "now it takes two pieces"
    );
}

#[test]
fn a_plan_that_cannot_be_flown_is_refused_by_what_is_wrong() {
    let week = small();
    let verdict = |tracks: &[Track]| check(&week, tracks).map(|score| score.satisfied);
    assert_eq!(verdict(&[track(0, 1, 10, 19), track(1, 1, 21, 23)]), Ok(2));
    assert_eq!(verdict(&[track(0, 1, 9, 18)]), Err(Fault::Outside(0)));
    assert_eq!(verdict(&[track(0, 1, 22, 31)]), Err(Fault::Outside(0)));
    assert_eq!(verdict(&[track(2, 0, 10, 12)]), Err(Fault::Unknown(0)));
    assert_eq!(verdict(&[track(1, 2, 10, 12)]), Err(Fault::Unknown(0)));
    assert_eq!(verdict(&[track(1, 0, 18, 20)]), Err(Fault::Maintenance(0)));
    let close = [track(0, 1, 10, 19), track(1, 1, 20, 22)];
    assert_eq!(verdict(&close), Err(Fault::Collision(0, 1)));
    let both = [track(0, 1, 10, 19), track(1, 0, 12, 14)];
    assert_eq!(verdict(&both), Err(Fault::Mission(0, 1)));
    assert_eq!(verdict(&[track(0, 1, 10, 15)]), Err(Fault::Length(0)));
    assert_eq!(verdict(&[track(1, 1, 10, 13)]), Err(Fault::Length(1)));
    let pieces = [track(0, 1, 10, 16), track(0, 1, 20, 23)];
    assert_eq!(verdict(&pieces), Err(Fault::Split(0)));
    let pieces = [track(1, 1, 10, 11), track(1, 1, 20, 21)];
    assert_eq!(verdict(&pieces), Err(Fault::Split(1)));
}

#[test]
fn a_track_at_the_end_of_time_is_outside_and_no_overflow() {
    let week = small();
    for (on_s, off_s) in [
        (i64::MIN, i64::MAX),
        (i64::MAX, i64::MIN),
        (i64::MIN, i64::MIN + 1),
    ] {
        let far = Track {
            on_s,
            off_s,
            ..track(0, 1, 0, 0)
        };
        assert_eq!(check(&week, &[far]), Err(Fault::Outside(0)));
    }
}

#[test]
fn a_week_that_cannot_be_meant_is_refused_with_what_and_where() {
    let refused = |change: &dyn Fn(&mut Closed, &mut Vec<Request>)| {
        let (mut closed, mut requests) = parts();
        change(&mut closed, &mut requests);
        week_of((closed, requests)).err()
    };
    assert_eq!(refused(&|_, _| ()), None);
    assert_eq!(
        refused(&|shut, _| shut.antenna = 2),
        Some(WeekError::Closed(0))
    );
    assert_eq!(
        refused(&|shut, _| shut.until_s = 0),
        Some(WeekError::Closed(0))
    );
    assert_eq!(
        refused(&|_, all| all[1].mission = 1),
        Some(WeekError::Mission(1))
    );
    assert_eq!(
        refused(&|_, all| all[1].want_s = 0),
        Some(WeekError::Length(1))
    );
    assert_eq!(
        refused(&|_, all| all[1].least_s += 1),
        Some(WeekError::Length(1))
    );
    assert_eq!(
        refused(&|_, all| all[0].setup_s = -1),
        Some(WeekError::Busy(0))
    );
    let antennas = Some(WeekError::Antennas { request: 0, way: 1 });
    assert_eq!(
        refused(&|_, all| all[0].ways[1].antennas = vec![]),
        antennas
    );
    assert_eq!(
        refused(&|_, all| all[0].ways[1].antennas = vec![2]),
        antennas
    );
    assert_eq!(
        refused(&|_, all| all[0].ways[1].antennas = vec![1, 1]),
        antennas
    );
    let period = Some(WeekError::Period { request: 0, way: 1 });
    assert_eq!(refused(&|_, all| all[0].ways[1].until_s = i64::MAX), period);
    assert_eq!(
        refused(&|_, all| all[0].ways[1].until_s = 10 * HOUR_S),
        period
    );
    assert_eq!(
        Week::new(1..1, 1, 1, vec![], vec![]).err(),
        Some(WeekError::Span)
    );
    let many = Week::new(0..1, usize::MAX, 1, vec![], vec![]);
    assert_eq!(many.err(), Some(WeekError::Many));
}

#[test]
fn ours_is_better_than_all_that_is_published_in_hours_and_fairness() {
    for name in ["W20_2018", "W50_2018"] {
        let week = network(name).week;
        let tracks = solve(&week, 1, 20_000);
        let ours = check(&week, &tracks).expect("a plan that can be flown");
        let rivals = published(name);
        assert_eq!(rivals.len(), 5, "{name}");
        for rival in rivals {
            let theirs = rival.score;
            assert!(
                ours.hours > theirs.hours && ours.u_rms < theirs.u_rms,
                "{name}: {ours:?}"
            );
        }
    }
}

/// The tracks of a schedule that was validated elsewhere, which has a row for each antenna.
fn tracks(network: &Network, schedule: &Value) -> Vec<Track> {
    let mut used: BTreeMap<(usize, i64, i64), Vec<&str>> = BTreeMap::new();
    for row in schedule.as_array().expect("tracks") {
        let id = row["TRACK_ID"].as_str().expect("an id");
        let place = network.requests.iter().position(|one| one == id);
        let request = place.expect("a request of the week");
        let time = |name: &str| row[name].as_i64().expect("seconds");
        let (on_s, off_s) = (time("TRACKING_ON"), time("TRACKING_OFF"));
        let asked = &network.week.requests()[request];
        assert_eq!(on_s - asked.setup_s, time("START_TIME"), "{id}");
        assert_eq!(off_s + asked.teardown_s, time("END_TIME"), "{id}");
        let antennas = used.entry((request, on_s, off_s)).or_default();
        antennas.push(row["RESOURCE"].as_str().expect("a name"));
        antennas.sort_unstable();
    }
    type Used<'a> = ((usize, i64, i64), Vec<&'a str>);
    let track = |((request, on_s, off_s), used): Used<'_>| {
        let mut ways = network.week.requests()[request].ways.iter();
        let way = ways.position(|way| {
            let names = way.antennas.iter().map(|&at| &*network.antennas[at]);
            names.eq(used.iter().copied()) && way.from_s <= on_s && off_s <= way.until_s
        });
        Track {
            request,
            way: way.expect("a view period"),
            on_s,
            off_s,
        }
    };
    used.into_iter().map(track).collect()
}

/// One request of W50 got less than its least in that schedule. Our checker refuses just that;
/// their hours and satisfied requests leave it out, their `U_rms` does not.
#[test]
fn schedules_that_were_validated_elsewhere_pass_and_get_the_same_score() {
    for (name, short) in [("W20_2018", None), ("W50_2018", Some(258))] {
        let json = |what: &str| -> Value {
            let text = data::read(&format!("satnet/validated/{name}_{what}.json"));
            serde_json::from_str(&text).expect("JSON")
        };
        let (network, metrics) = (network(name), json("metrics"));
        let mut tracks = tracks(&network, &json("solution"));
        let fault = check(&network.week, &tracks).err();
        assert_eq!(fault, short.map(Fault::Length), "{name}");
        tracks.retain(|track| Some(track.request) != short);
        let score = check(&network.week, &tracks).expect("a schedule that can be flown");
        assert_eq!(metrics["n_satisfied_requests"], score.satisfied, "{name}");
        let far = |ours: f64, what: &str| ours - metrics[what].as_f64().expect("a number");
        assert!(
            far(score.hours, "total_reward").abs() < 1e-6,
            "{name}: {score:?}"
        );
        assert!(far(score.u_max, "u_max").abs() < 1e-9, "{name}: {score:?}");
        let far = far(score.u_rms, "u_rms");
        assert!(
            far.abs() < 1e-9 || (short.is_some() && far > 0.0),
            "{name}: {score:?}"
        );
        tracks.push(tracks[0]);
        assert!(
            check(&network.week, &tracks).is_err(),
            "{name}: one track twice"
        );
    }
}

const SHUT: &str = "week,year,starttime,endtime,antenna\n1.0,2018,40000,50000,DSS-14\n";

fn asked() -> Value {
    json!({
        "subject": 7, "track_id": "a-1", "duration": 1.0, "duration_min": 0.5,
        "setup_time": 60, "teardown_time": 15, "time_window_start": 0,
        "resource_vp_dict": {"DSS-14_DSS-24": [{"TRX ON": 36000, "TRX OFF": 72000}]},
    })
}

#[test]
fn a_file_is_read_with_its_names() {
    let text = json!({"W07_2018": [asked()], "W08_2018": []}).to_string();
    for name in ["W07_2018", "W07", "07", "07_2018"] {
        let network = read(&text, SHUT, name).expect("a week");
        assert_eq!(
            (&*network.name, &*network.requests),
            ("W07_2018", &["a-1".to_owned()][..])
        );
        assert_eq!(network.antennas, ["DSS-14", "DSS-24"]);
        assert_eq!(
            (network.missions.as_slice(), network.week.closed().len()),
            (&[7][..], 1)
        );
        assert_eq!(network.week.requests()[0].ways[0].antennas, [0, 1]);
    }
}

#[test]
fn a_file_that_is_no_week_says_what_is_wrong_and_where() {
    let with = |name: &str, value: Value| {
        let mut asked = asked();
        asked[name] = value;
        let refused = read(&json!({"W7_2018": [asked]}).to_string(), SHUT, "7");
        refused.expect_err("no week").to_string()
    };
    assert_eq!(
        with("setup_time", json!(1e300)),
        format!("request 0 (a-1): setup_time is {}", 1e300)
    );
    assert_eq!(
        with("duration", json!(0)),
        "request 0 wants no time, or at least more than it wants"
    );
    assert!(with("subject", json!("x")).starts_with("the problems: invalid type"));
    for (problems, closed, says) in [
        ("[]", SHUT, "the problems: invalid type"),
        ("{\"W8\": []}", SHUT, "there is no week 7; there are W8"),
        (
            "{\"7\": []}",
            "\n1,2,3",
            "the maintenance, line 2: it has not five cells",
        ),
        (
            "{\"7\": []}",
            "\na,b,c,d,e",
            "the maintenance, line 2: begin and end are no seconds",
        ),
    ] {
        let error = read(problems, closed, "7")
            .expect_err("no week")
            .to_string();
        assert!(error.starts_with(says), "{error}");
    }
}

fn a_week() -> impl Strategy<Value = (Vec<Closed>, Vec<Request>)> {
    let hours = || -2_i64..30;
    let antennas = prop::collection::vec(0_usize..4, 0..3);
    let way = (antennas, hours(), hours()).prop_map(|(antennas, from, until)| Way {
        antennas,
        from_s: from * HOUR_S,
        until_s: until * HOUR_S,
    });
    let lengths = (0_usize..3, 0_i64..14, 0_i64..14, -1_i64..3);
    let request = (lengths, prop::collection::vec(way, 0..4)).prop_map(|(lengths, ways)| Request {
        mission: lengths.0,
        want_s: lengths.1 * HOUR_S,
        least_s: lengths.2 * HOUR_S,
        setup_s: lengths.3 * 900,
        teardown_s: lengths.3 * 600,
        ways,
    });
    let closed = (0_usize..4, hours(), hours()).prop_map(|(antenna, from, until)| Closed {
        antenna,
        from_s: from * HOUR_S,
        until_s: until * HOUR_S,
    });
    let requests = prop::collection::vec(request, 0..8);
    (prop::collection::vec(closed, 0..2), requests)
}

proptest! {
    /// Half of these weeks cannot be meant: they are refused. The others get a sound plan.
    #[test]
    fn whatever_is_a_week_gets_a_plan_that_can_be_flown((closed, requests) in a_week()) {
        if let Ok(week) = Week::new(0..28 * HOUR_S, 3, 2, closed, requests) {
            let tracks = solve(&week, 1, 40);
            let score = check(&week, &tracks);
            prop_assert!(score.is_ok(), "{score:?} of {week:?}: {tracks:?}");
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(
        problems in ".{0,80}", closed in ".{0,40}", name in ".{0,4}",
    ) {
        let _ = read(&problems, &closed, &name);
    }

    #[test]
    fn no_numbers_make_the_reader_or_the_search_panic(
        numbers in prop::collection::btree_map(
            prop::sample::select(vec![
                "subject", "duration", "duration_min", "setup_time", "teardown_time",
                "time_window_start",
            ]),
            prop_oneof![
                any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from),
                (-9_i64..99).prop_map(Value::from),
            ],
            0..4,
        ),
        ons in prop::collection::vec((any::<f64>(), 0.0_f64..1e6), 0..3),
        resource in "[D_]{0,4}",
    ) {
        let mut asked = asked();
        for (name, value) in numbers {
            asked[name] = value;
        }
        let period = |(on, off)| json!({"TRX ON": on, "TRX OFF": off});
        let periods: Vec<Value> = ons.into_iter().map(period).collect();
        asked["resource_vp_dict"] = json!(BTreeMap::from([(resource, periods)]));
        if let Ok(network) = read(&json!({"W7": [asked]}).to_string(), SHUT, "7") {
            let tracks = solve(&network.week, 1, 10);
            prop_assert!(check(&network.week, &tracks).is_ok());
        }
    }
}
