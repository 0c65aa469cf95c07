//! From elements, stations and requests to a day's plan and its jobs.

#[path = "../../../decisions/contacts/tests/contacts/data.rs"]
#[expect(dead_code, reason = "the weeks are for the tests of `contacts`")]
mod data;

use passes::Program;
use passes::planning::contacts::{Rule, check, greedy, improve};
use passes::planning::{Day, Equipment, Sky, Span, Template, Wanted, jobs, sky, stations, wanted};
use proptest::prelude::*;

/// 2026-05-31 00:00 UTC.
const DAY_MS: i64 = 1_780_185_600_000;
const HOUR_MS: i64 = 3_600_000;

fn day(antennas: usize) -> Day {
    let equipment = Equipment {
        antennas,
        ..Equipment::default()
    };
    let places = data::read("passes/stations15.csv");
    let places = stations(&places, &equipment).expect("stations");
    let asked = data::read("passes/demand_1404_requests.csv");
    let asked = wanted(&asked, DAY_MS, 300_000).expect("requests");
    let span = Span {
        from_ms: DAY_MS - HOUR_MS,
        until_ms: DAY_MS + 25 * HOUR_MS,
    };
    let tles = data::read("passes/satellites78.tle");
    let sky = sky(&tles, &places, span, &mut |_, _| ()).expect("passes");
    Day::new(places, asked, sky).expect("a problem")
}

#[test]
fn the_day_that_is_predicted_is_the_day_of_the_reference_table() {
    let (ours, known) = (day(2), data::day(2));
    for (at, (one, other)) in ours
        .problem()
        .requests()
        .iter()
        .zip(known.requests())
        .enumerate()
    {
        assert_eq!(one.contacts.len(), other.contacts.len(), "request {at}");
    }
    let impossible: Vec<usize> = known.impossible().collect();
    let named: Vec<usize> = ours.impossible().iter().map(|(at, _)| *at).collect();
    assert_eq!((named.len(), named), (13, impossible));
}

#[test]
fn what_is_impossible_and_what_is_not_served_says_why() {
    let day = day(1);
    for (at, why) in day.impossible() {
        let known = [
            "its longest pass is ",
            "no pass lies whole ",
            "no station sees ",
        ];
        assert!(
            known.iter().any(|begin| why.starts_with(begin)),
            "{at}: {why}"
        );
    }
    let plan = greedy(day.problem(), Rule::EarliestEnd);
    let unserved = day.unserved(&plan);
    assert_eq!(
        unserved.len() + plan.served() + day.impossible().len(),
        1_404
    );
    let (at, why) = &unserved[0];
    assert!(why.ends_with("antennas that others have"), "{at}: {why}");
}

#[test]
fn a_plan_becomes_jobs_that_are_due_after_their_pass_at_their_station() {
    let day = day(1);
    let plan = improve(day.problem(), 1, 1_000);
    check(day.problem(), &plan).expect("a plan that can be flown");
    let booked = day.booked(&plan);
    let template = Template {
        program: Program::Command {
            program: "demodulate".to_owned(),
            args: Vec::new(),
        },
        grace_ms: 600_000,
        cpu_millicores: 1_000,
        memory_mb: 256,
        gpu_count: 0,
    };
    let jobs = jobs(&day, &booked, &template);
    assert_eq!((jobs.len(), booked.len()), (plan.served(), plan.served()));
    for (job, one) in jobs.iter().zip(&booked) {
        let pass = one.sighting.pass;
        assert_eq!(job.deadline_ms, pass.set_ms as u64 + 600_000);
        assert_eq!(
            job.estimated_runtime_ms,
            (pass.set_ms - pass.rise_ms) as u64
        );
        assert_eq!(
            job.env["ORRERY_SATELLITE"],
            day.wanted[one.request].satellite
        );
        let station = day.stations[one.sighting.station].name.to_lowercase();
        assert_eq!(
            job.required_tags,
            [format!("station={}", station.replace(' ', "-"))]
        );
    }
    let keys: std::collections::BTreeSet<&str> = jobs.iter().map(|job| job.key.as_str()).collect();
    assert_eq!(keys.len(), jobs.len(), "each job has a key of its own");
}

#[test]
fn a_request_for_what_cannot_be_seen_is_impossible_for_its_own_reason() {
    let places = "station,lat_deg,lon_deg\nAthens,37.85,22.62\n";
    let places = stations(places, &Equipment::default()).expect("stations");
    let tle = data::read("passes/satellites78.tle");
    let tle: Vec<&str> = tle.lines().take(3).collect();
    let span = Span {
        from_ms: DAY_MS,
        until_ms: DAY_MS + 24 * HOUR_MS,
    };
    let sky = sky(&tle.join("\n"), &places, span, &mut |_, _| ()).expect("passes");
    let pass = sky.sightings[0].pass;
    let why = |satellite: &str, from_ms, until_ms, contact_min_ms| {
        let asked = Wanted {
            id: "7".to_owned(),
            satellite: satellite.to_owned(),
            from_ms,
            until_ms,
            contact_min_ms,
            weight: 1,
        };
        let day = Day::new(places.clone(), vec![asked], sky.clone()).expect("a problem");
        day.impossible().pop().map(|(_, why)| why)
    };
    let (rise_ms, set_ms, name) = (pass.rise_ms, pass.set_ms, "SENTINEL-1A");
    assert_eq!(why(name, rise_ms, set_ms, 0), None);
    assert_eq!(
        why("MIR", rise_ms, set_ms, 0).as_deref(),
        Some("there are no elements of MIR")
    );
    assert_eq!(
        why(name, set_ms, set_ms + 60_000, 0).as_deref(),
        Some("no station sees it in its window")
    );
    assert_eq!(
        why(name, rise_ms + 1, set_ms, 0).as_deref(),
        Some("no pass lies whole in its window; part of one does at Athens")
    );
    let long = why(name, rise_ms, set_ms, 3_600_000).expect("it is impossible");
    assert!(long.ends_with(" s (Athens), and it takes 3600 s"), "{long}");
}

#[test]
fn a_table_that_cannot_be_read_names_the_line() {
    let refused = |text: &str| {
        let error = stations(text, &Equipment::default()).expect_err("no stations");
        error.to_string()
    };
    assert_eq!(refused(""), "line 1: there is no header");
    let says = "line 1: no column lat_deg among station, lon";
    assert_eq!(refused("station,lon\nA,1\n"), says);
    let head = "station,lat_deg,lon_deg,antennas,setup_s\n";
    for (rows, says) in [
        ("A,1,2,3\n", "line 2: 4 cells under a header of 5"),
        ("\nA,1,x,1,0\n", "line 3: \"x\" is not such a number"),
        ("A,1,2,0,0\n", "line 2: a station has 1 to 1000 antennas"),
        (
            "A,1,2,1,-1\n",
            "line 2: set-up and tear-down take from nothing to a day",
        ),
        ("A,1,2,1,1e99\n", "more than ten years"),
        (
            "A,91,2,1,0\n",
            "line 2: the latitude is 91, which is not in -90 to 90",
        ),
        ("A,,2,1,0\n", "line 2: the latitude is NaN"),
        ("A,1,2,1,0\nA,1,2,1,0\n", "line 3: A is there twice"),
        ("\"A\",1,2,1,0\n", "line 2: cells are not quoted here"),
    ] {
        let error = refused(&format!("{head}{rows}"));
        assert!(error.contains(says), "{error}");
    }
    let backwards = "satellite,window_start_s,window_end_s\nX,9,9\n";
    let error = wanted(backwards, 0, 0).expect_err("no request").to_string();
    assert_eq!(error, "line 2: the window does not end after it begins");
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in "[a-z_,\n0-9.e\"-]{0,80}", extra in ".{0,40}") {
        let stations_head = format!("station,lat_deg,lon_deg,alt_m,antennas\n{text}");
        let wanted_head = format!("satellite,window_start_s,window_end_s\n{text}");
        for text in [&text, &extra, &stations_head, &wanted_head] {
            let _ = stations(text, &Equipment::default());
            let _ = wanted(text, DAY_MS, 0);
            let span = Span { from_ms: 0, until_ms: 1 };
            let _: Result<Sky, _> = sky(text, &[], span, &mut |_, _| ());
        }
    }
}
