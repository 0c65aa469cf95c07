//! Breaker, budget, hedging, splits.

use balancing::breaker::{Breaker, Settings, State};
use balancing::budget::Budget;
use balancing::hedge::Latencies;
use balancing::split::{Split, choose, number_of};
use proptest::prelude::*;

#[test]
fn a_breaker_opens_when_nearly_all_fail_tries_a_few_and_closes() {
    let mut breaker = Breaker::new(Settings::default());
    for _ in 0..20 {
        assert_eq!(breaker.begin(0), Ok(()));
        breaker.ended(Some(false), 0);
    }
    assert_eq!(breaker.state(0), State::Open);
    assert_eq!(breaker.begin(400_000), Err(600_000));
    // Its time is over: three are tried, and no more.
    for _ in 0..3 {
        assert_eq!(breaker.begin(1_000_000), Ok(()));
    }
    assert!(breaker.begin(1_000_000).is_err());
    breaker.ended(Some(false), 1_000_000);
    assert_eq!(breaker.state(1_000_001), State::Open);
    for _ in 0..3 {
        assert_eq!(breaker.begin(2_100_000), Ok(()));
        breaker.ended(Some(true), 2_100_000);
    }
    assert_eq!(breaker.state(2_100_000), State::Closed);
}

#[test]
fn a_breaker_does_not_open_for_a_few_or_for_what_was_long_ago() {
    let mut breaker = Breaker::new(Settings::default());
    for n in 0..19 {
        breaker.ended(Some(n % 2 == 0), 0);
    }
    for _ in 0..1_000 {
        breaker.ended(Some(true), 0);
    }
    assert_eq!(breaker.state(0), State::Closed);
    let mut failures = 0;
    while breaker.state(0) == State::Closed {
        breaker.ended(Some(false), 0);
        failures += 1;
    }
    assert!(failures < 200, "{failures}");
}

#[test]
fn a_trial_that_nobody_waited_for_leaves_room_for_another() {
    let mut breaker = Breaker::new(Settings {
        trials: 1,
        ..Settings::default()
    });
    for _ in 0..20 {
        breaker.ended(Some(false), 0);
    }
    assert_eq!(breaker.begin(1_000_000), Ok(()));
    assert!(breaker.begin(1_000_000).is_err());
    breaker.ended(None, 1_000_000);
    assert_eq!(breaker.begin(1_000_000), Ok(()));
}

#[test]
fn a_split_is_kept_to_within_three_of_a_hundred() {
    let split = Split::from([("1".to_owned(), 900), ("2".to_owned(), 100)]);
    let mut second = 0;
    for n in 0..10_000_u64 {
        let number = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        second += u32::from(choose(&split, &["1", "2"], number) == Some("2"));
    }
    assert!((700..1_300).contains(&second), "{second}");
    assert_eq!(choose(&split, &["1"], 5), Some("1"));
    assert_eq!(choose(&Split::new(), &["1"], 5), None);
    let none = Split::from([("1".to_owned(), 1_000)]);
    assert_eq!(choose(&none, &["2"], 5), None);
}

#[test]
fn what_is_not_named_goes_to_every_version() {
    let split = Split::from([("2".to_owned(), 300)]);
    let second = (0..1_000)
        .filter(|n| choose(&split, &["1", "2"], *n) == Some("2"))
        .count();
    assert_eq!(second, 300);
}

#[test]
fn a_hedge_waits_longer_than_most_calls_take() {
    let mut latencies = Latencies::default();
    for us in 0..19 {
        latencies.add(us);
        assert_eq!(latencies.hedge_after_us(), None);
    }
    for us in 1..=1_000 {
        latencies.add(us);
    }
    // The last 128 are from 873 to 1000.
    let after = latencies.hedge_after_us().unwrap();
    assert!((990..=1_000).contains(&after), "{after}");
}

proptest! {
    #[test]
    fn retries_are_a_share_of_calls(calls in 1_u32..5_000, percent in 1_u32..50) {
        let mut budget = Budget::new(percent, 10);
        let mut spent = 0;
        for _ in 0..calls {
            budget.called();
            // Each call fails, and would be made again for ever.
            while budget.spend() {
                spent += 1;
            }
        }
        prop_assert!(spent <= calls * percent / 100 + 11, "{spent} of {calls}");
        prop_assert!(spent + 1 >= (calls * percent / 100).min(10));
    }

    #[test]
    fn the_same_key_is_always_for_the_same_version(key in ".{0,30}") {
        let split = Split::from([("1".to_owned(), 500), ("2".to_owned(), 500)]);
        let number = number_of(&key);
        let again = choose(&split, &["1", "2"], number_of(&key));
        prop_assert_eq!(choose(&split, &["1", "2"], number), again);
    }
}
