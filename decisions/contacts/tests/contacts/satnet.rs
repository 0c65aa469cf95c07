//! Plans for the Deep Space Network, and what its checker refuses.

use contacts::satnet::{Closed, Fault, Request, Track, Way, Week, check, solve};

use crate::network::week;

const HOUR_S: i64 = 3_600;

/// Two antennas; a request of 9 h that may be split, and a short one of the same mission.
fn small() -> Week {
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
    Week {
        from_s: 0,
        until_s: 40 * HOUR_S,
        antennas: 2,
        missions: 1,
        closed: vec![Closed {
            antenna: 0,
            from_s: 20 * HOUR_S,
            until_s: 21 * HOUR_S,
        }],
        requests: vec![asked(9, 1), asked(2, 1)],
    }
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
        let week = week(name);
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
    let mut week = small();
    week.requests.truncate(1);
    week.requests[0].ways.truncate(1);
    week.requests[0].ways[0].until_s = 27 * HOUR_S;
    let tracks = solve(&week, 1, 50);
    let score = check(&week, &tracks).expect("a plan that can be flown");
    assert_eq!(
        (tracks.len(), score.satisfied),
        (1, 1),
        "9 h fit before the maintenance"
    );
    week.closed[0].from_s = 18 * HOUR_S;
    week.closed[0].until_s = 19 * HOUR_S;
    let tracks = solve(&week, 1, 50);
    let score = check(&week, &tracks).expect("a plan that can be flown");
    assert_eq!(
        (tracks.len(), score.satisfied),
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
