//! Where calls go, as a simulation of endpoints that are slow, bad or new.

use balancing::{Endpoint, Outcome, OutlierSettings, Pool, Settings};
use proptest::prelude::*;

/// Numbers nobody can foresee, and everybody can repeat.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn two(&mut self) -> (u64, u64) {
        (self.next(), self.next())
    }
}

fn endpoint(id: &str, zone: &str, weight: u32) -> Endpoint {
    Endpoint {
        id: id.to_owned(),
        version: "1".to_owned(),
        zone: zone.to_owned(),
        weight,
    }
}

/// So many calls, one after the other, each as `answer` says; the share of each endpoint.
fn shares(
    pool: &mut Pool,
    calls: u64,
    mut now: u64,
    answer: impl Fn(&str) -> (Outcome, u64),
) -> Vec<(String, f64)> {
    let mut draws = Draws(7);
    let before: Vec<u64> = pool.stats(now).iter().map(|s| s.picks).collect();
    for _ in 0..calls {
        let picked = pool.pick(None, &[], draws.two(), now).unwrap();
        let (outcome, took) = answer(&picked.id);
        now += took;
        pool.ended(picked, outcome, took, now);
    }
    let after = pool.stats(now);
    let share = |(stats, before): (&balancing::EndpointStats, &u64)| {
        (
            stats.endpoint.id.clone(),
            (stats.picks - before) as f64 / calls as f64,
        )
    };
    after.iter().zip(&before).map(share).collect()
}

fn pool(endpoints: &[Endpoint]) -> Pool {
    let mut pool = Pool::new(Settings::default());
    pool.set(endpoints.to_vec(), 0);
    pool
}

fn three() -> Vec<Endpoint> {
    ["a", "b", "c"]
        .iter()
        .map(|id| endpoint(id, "", 100))
        .collect()
}

fn well(_: &str) -> (Outcome, u64) {
    (Outcome::Succeeded, 100)
}

#[test]
fn equals_get_equal_shares() {
    for (id, share) in shares(&mut pool(&three()), 30_000, 0, well) {
        assert!((share - 1.0 / 3.0).abs() < 0.03, "{id}: {share}");
    }
}

#[test]
fn a_slow_one_gets_less_and_all_of_its_share_back_when_it_is_fast_again() {
    let mut pool = pool(&three());
    let slow = |id: &str| (Outcome::Succeeded, if id == "b" { 5_000 } else { 100 });
    let told = shares(&mut pool, 10_000, 0, slow);
    assert!(told[1].1 < 0.15, "{told:?}");
    shares(&mut pool, 1_000, 80_000_000, well);
    let told = shares(&mut pool, 30_000, 90_000_000, well);
    assert!(told[1].1 > 0.25, "{told:?}");
}

#[test]
fn whoever_answers_errors_is_out_for_a_while_and_longer_each_time() {
    let mut pool = pool(&three());
    let bad = |id: &str| {
        (
            if id == "b" {
                Outcome::Failed
            } else {
                Outcome::Succeeded
            },
            100,
        )
    };
    let told = shares(&mut pool, 1_000, 0, bad);
    assert!(told[1].1 < 0.02, "{told:?}");
    let out = |pool: &Pool, now| pool.stats(now)[1].out_until_us;
    let first = out(&pool, 100_000).expect("it is out");
    // One trial after its time, one more error, and it is out for twice as long.
    let told = shares(&mut pool, 1_000, first + 1, bad);
    assert!(told[1].1 < 0.005, "{told:?}");
    let second = out(&pool, first + 100_000).expect("it is out again");
    assert!(second - first > 1_900_000, "{first} {second}");
    let told = shares(&mut pool, 200_000, second + 1, well);
    assert!(told[1].1 > 0.2, "{told:?}");
}

#[test]
fn never_more_than_half_are_out_and_when_all_are_bad_all_are_called() {
    let mut pool = pool(&three());
    let told = shares(&mut pool, 3_000, 0, |_| (Outcome::Failed, 100));
    let out = pool
        .stats(300_000)
        .iter()
        .filter(|s| s.out_until_us.is_some())
        .count();
    assert_eq!(out, 1);
    assert_eq!(
        told.iter().filter(|(_, share)| *share > 0.3).count(),
        2,
        "{told:?}"
    );
}

#[test]
fn neighbours_are_preferred_until_they_are_overloaded() {
    let mut pool = Pool::new(Settings {
        zone: "here".to_owned(),
        ..Settings::default()
    });
    pool.set(
        [endpoint("near", "here", 100), endpoint("far", "there", 100)],
        0,
    );
    let told = shares(&mut pool, 10_000, 0, well);
    assert!(told[1].1 > 0.95, "{told:?}");
    let slow = |id: &str| (Outcome::Succeeded, if id == "near" { 5_000 } else { 100 });
    let told = shares(&mut pool, 10_000, 2_000_000, slow);
    assert!(told[0].1 > 0.8, "{told:?}");
}

#[test]
fn weights_are_shares_and_0_keeps_calls_away() {
    let all = [
        endpoint("a", "", 300),
        endpoint("b", "", 100),
        endpoint("c", "", 0),
    ];
    let told = shares(&mut pool(&all), 30_000, 0, well);
    assert!(told[0].1 > 0.6 && told[1].1 > 0.05, "{told:?}");
    assert_eq!(told[2].1, 0.0);
    let mut nobody = pool(&[endpoint("c", "", 0)]);
    assert_eq!(nobody.pick(None, &[], (1, 2), 0), None);
}

#[test]
fn a_new_one_begins_slowly() {
    let mut pool = pool(&three()[..2]);
    shares(&mut pool, 100, 0, well);
    pool.set(three(), 1_000_000);
    let at_first = shares(&mut pool, 1_000, 1_000_000, well);
    let later = shares(&mut pool, 10_000, 10_000_000, well);
    assert!(at_first[2].1 < 0.2, "{at_first:?}");
    assert!(later[2].1 > 0.25, "{later:?}");
}

#[test]
fn one_that_was_tried_is_not_tried_again_if_there_is_another() {
    let mut pool = pool(&three());
    let mut tried = Vec::new();
    for n in 0..3 {
        let picked = pool.pick(None, &tried, (n, n), 0).unwrap();
        assert!(!tried.contains(&picked.id));
        tried.push(picked.id);
    }
    assert!(
        pool.pick(None, &tried, (0, 0), 0).is_some(),
        "rather again than never"
    );
}

#[test]
fn a_version_is_kept_to_while_anybody_serves_it() {
    let two = Endpoint {
        version: "2".to_owned(),
        ..endpoint("z", "", 100)
    };
    let mut pool = pool(&[three(), vec![two]].concat());
    for n in 0..20 {
        assert_eq!(pool.pick(Some("2"), &[], (n, n), 0).unwrap().id, "z");
    }
    assert!(pool.pick(Some("3"), &[], (0, 0), 0).is_some());
    assert_eq!(pool.versions(), ["1", "2"]);
}

#[test]
fn what_ends_after_its_endpoint_came_back_says_nothing_of_the_new_one() {
    let mut pool = pool(&three());
    let picked = pool.pick(None, &[], (0, 0), 0).unwrap();
    pool.set([], 1);
    pool.set(three(), 2);
    pool.ended(picked, Outcome::Failed, 100, 3);
    assert!(
        pool.stats(3)
            .iter()
            .all(|s| s.failures == 0 && s.outstanding == 0)
    );
}

proptest! {
    #[test]
    fn calls_in_flight_are_counted_whatever_happens(
        steps in prop::collection::vec((any::<u64>(), any::<u64>(), 0_u8..4), 1..300),
    ) {
        let settings = Settings {
            outliers: OutlierSettings { errors_in_a_row: 2, ..OutlierSettings::default() },
            ..Settings::default()
        };
        let mut pool = Pool::new(settings);
        pool.set(three(), 0);
        let (mut flying, mut now) = (Vec::new(), 0);
        for (a, b, what) in steps {
            now += a % 1_000_000;
            match what {
                0 | 1 => flying.extend(pool.pick(None, &[], (a, b), now)),
                2 if !flying.is_empty() => {
                    let picked = flying.remove(a as usize % flying.len());
                    let outcome = [Outcome::Succeeded, Outcome::Failed, Outcome::Abandoned];
                    pool.ended(picked, outcome[b as usize % 3], b % 10_000, now);
                }
                _ => {}
            }
            let outstanding: u32 = pool.stats(now).iter().map(|s| s.outstanding).sum();
            prop_assert_eq!(outstanding as usize, flying.len());
            let out = pool.stats(now).iter().filter(|s| s.out_until_us.is_some()).count();
            prop_assert!(out <= 1);
        }
    }
}
