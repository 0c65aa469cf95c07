//! Shares: of what is consumed, of what is held, of what is free.

use std::collections::BTreeMap;

use proptest::prelude::*;
use queueing::{Claim, Discipline, Drf, FairShare, Fifo, Work, allot};

use crate::of_tenant;

const CAPACITY: [u64; 4] = [1_000, 1_000, 0, 0];

fn fair(weights: &[u32]) -> FairShare<Fifo> {
    let weights = (0..).zip(weights.iter().copied()).collect();
    FairShare::new(CAPACITY, weights, Fifo::new())
}

/// What each of two tenants consumed in so many turns, when both always have work.
fn consumed(queue: &mut FairShare<Fifo>, turns: u64, demands: [u64; 2]) -> [u64; 2] {
    let mut id = 0;
    let mut refill = |queue: &mut FairShare<Fifo>, tenant: u32| {
        id += 1;
        queue.push(of_tenant(id, tenant, demands[tenant as usize], 100));
    };
    (0..2).for_each(|tenant| refill(queue, tenant));
    (0..2).for_each(|tenant| refill(queue, tenant));
    let mut used = [0, 0];
    for _ in 0..turns {
        let work = queue.pop(0).expect("both always have work");
        used[work.tenant as usize] += work.demand[0] * work.runtime_ms;
        refill(queue, work.tenant);
    }
    used
}

#[test]
fn twice_as_much_work_at_equal_weights_is_no_more_of_the_machine() {
    let mut queue = fair(&[1, 1]);
    for id in 0..300 {
        queue.push(of_tenant(id, u32::from(id % 3 == 0), 10, 100));
    }
    let first: Vec<u32> = (0..150)
        .filter_map(|_| queue.pop(0))
        .map(|w| w.tenant)
        .collect();
    let heavy = first.iter().filter(|tenant| **tenant == 0).count();
    assert_eq!(heavy, 75);
}

#[test]
fn three_to_one_is_three_quarters() {
    let [heavy, light] = consumed(&mut fair(&[3, 1]), 4_000, [10, 10]);
    let share = heavy as f64 / (heavy + light) as f64;
    assert!((share - 0.75).abs() < 0.001, "{share}");
}

#[test]
fn whoever_was_away_has_no_credit() {
    let mut queue = fair(&[1, 1]);
    for id in 0..1_000 {
        queue.push(of_tenant(id, 0, 10, 100));
    }
    for _ in 0..900 {
        queue.pop(0);
    }
    for id in 1_000..1_100 {
        queue.push(of_tenant(id, 1, 10, 100));
    }
    let next: Vec<u32> = (0..20)
        .filter_map(|_| queue.pop(0))
        .map(|w| w.tenant)
        .collect();
    assert_eq!(
        next.iter().filter(|tenant| **tenant == 1).count(),
        10,
        "{next:?}"
    );
}

#[test]
fn what_it_used_counts_and_not_what_it_was_expected_to() {
    let mut queue = fair(&[1, 1]);
    for id in 0..40 {
        queue.push(of_tenant(id, (id % 2) as u32, 10, 100));
    }
    let mut turns = [0, 0];
    for _ in 0..20 {
        let work = queue.pop(0).expect("forty wait");
        turns[work.tenant as usize] += 1;
        // Tenant 0 takes three times as long as it says.
        queue.ended(&work, if work.tenant == 0 { 300 } else { 100 });
    }
    assert_eq!(turns, [5, 15]);
}

#[test]
fn drf_is_the_example_of_its_paper() {
    // 9 cores and 18 GB; a's tasks need 1 core and 4 GB, b's 3 cores and 1 GB: a gets 3, b 2.
    let mut queue = Drf::new([9, 18, 0, 0], BTreeMap::new());
    for id in 0..20 {
        let (tenant, demand) = if id < 10 {
            (0, [1, 4, 0, 0])
        } else {
            (1, [3, 1, 0, 0])
        };
        queue.push(Work {
            tenant,
            demand,
            ..Work::new(id)
        });
    }
    let mut free = [9, 18];
    let mut tasks = [0, 0];
    while let Some(work) = queue.pop(0) {
        if work.demand[0] > free[0] || work.demand[1] > free[1] {
            queue.give_back(work);
            break;
        }
        free = [free[0] - work.demand[0], free[1] - work.demand[1]];
        tasks[work.tenant as usize] += 1;
    }
    assert_eq!(tasks, [3, 2]);
    assert_eq!(queue.held(0), [3, 12, 0, 0]);
}

#[test]
fn drf_forgets_what_is_no_longer_held() {
    let mut queue = Drf::new(CAPACITY, BTreeMap::new());
    (0..10).for_each(|id| queue.push(of_tenant(id, (id % 2) as u32, 10, 1)));
    let first = queue.pop(0).expect("ten wait");
    let second = queue.pop(0).expect("ten wait");
    assert_eq!((first.tenant, second.tenant), (0, 1));
    queue.ended(&second, 1);
    assert_eq!(
        queue.pop(0).map(|w| w.tenant),
        Some(1),
        "it holds nothing now"
    );
    assert_eq!(queue.held(1), [10, 0, 0, 0]);
}

fn claims() -> impl Strategy<Value = Vec<Claim>> {
    let claim = (0..5u32, 0..1_000u64, 0..1_000u64);
    let claim = claim.prop_map(|(weight, had, wants)| Claim { weight, had, wants });
    prop::collection::vec(claim, 1..8)
}

proptest! {
    #[test]
    fn the_difference_is_never_more_than_one_piece_of_each(
        weights in [1..8u32, 1..8u32], demands in [1..100u64, 1..100u64], turns in 1..500u64,
    ) {
        let used = consumed(&mut fair(&weights), turns, demands);
        let norm = |tenant: usize| used[tenant] as f64 / f64::from(weights[tenant]);
        let piece = |tenant: usize| demands[tenant] as f64 * 100.0 / f64::from(weights[tenant]);
        let bound = piece(0) + piece(1) + 1.0;
        prop_assert!((norm(0) - norm(1)).abs() <= bound, "{used:?}");
    }

    #[test]
    fn everyone_with_work_gets_a_turn(tenants in 2..20u32, heavy in 1..100u64) {
        let mut queue = fair(&[]);
        for id in 0..u64::from(tenants) * 10 {
            let tenant = (id % u64::from(tenants)) as u32;
            queue.push(of_tenant(id, tenant, if tenant == 0 { heavy } else { 1 }, 100));
        }
        let turns: Vec<u32> = (0..tenants).filter_map(|_| queue.pop(0)).map(|w| w.tenant).collect();
        prop_assert_eq!(turns, (0..tenants).collect::<Vec<_>>());
    }

    #[test]
    fn all_is_given_while_somebody_wants_it_and_to_nobody_more(
        free in 0..5_000u64, claims in claims(),
    ) {
        let given = allot(free, &claims);
        let wanted: u64 = claims.iter().map(|claim| claim.wants).sum();
        prop_assert_eq!(given.iter().sum::<u64>(), free.min(wanted));
        prop_assert!(given.iter().zip(&claims).all(|(given, claim)| *given <= claim.wants));
    }

    #[test]
    fn nobody_could_be_raised_but_from_one_who_has_less(free in 0..5_000u64, claims in claims()) {
        let given = allot(free, &claims);
        let level = |i: usize| (claims[i].had + given[i]) as f64 / f64::from(claims[i].weight);
        for i in (0..claims.len()).filter(|i| claims[*i].weight > 0) {
            for j in (0..claims.len()).filter(|j| given[*j] > 0) {
                // Whoever still wants stands no lower than any that was given something.
                let hungry = given[i] < claims[i].wants;
                let slack = 2.0 + claims.len() as f64;
                prop_assert!(!hungry || claims[j].weight > 0, "the weightless got before {i}");
                prop_assert!(!hungry || level(i) + slack >= level(j), "{claims:?} {given:?}");
            }
        }
    }
}

#[test]
fn what_one_does_not_need_goes_to_who_does() {
    let claim = |weight, had, wants| Claim { weight, had, wants };
    assert_eq!(allot(100, &[claim(1, 0, 10), claim(1, 0, 500)]), [10, 90]);
    assert_eq!(allot(100, &[claim(3, 0, 500), claim(1, 0, 500)]), [75, 25]);
    assert_eq!(allot(100, &[claim(1, 60, 500), claim(1, 0, 500)]), [20, 80]);
    assert_eq!(
        allot(100, &[claim(1, 900, 500), claim(1, 0, 500)]),
        [0, 100]
    );
    assert_eq!(allot(100, &[claim(0, 0, 500), claim(1, 0, 30)]), [70, 30]);
    assert_eq!(
        allot(1, &[claim(0, 0, 5), claim(1, 0, 5), claim(1, 0, 5)]),
        [0, 1, 0]
    );
    assert_eq!(allot(u64::MAX, &[claim(u32::MAX, 0, u64::MAX)]), [u64::MAX]);
    assert_eq!(allot(5, &[]), [] as [u64; 0]);
}
