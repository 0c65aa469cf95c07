//! What each region gets when there is not enough for all.

use passes::scheduler::PassWindowJob;

use crate::world::{HOUR, MINUTE, World, cores, job, machine};

/// One pool of machines of a third region, so that nobody is at home.
fn contended(weights: [u32; 2]) -> World {
    let machines = (0..8).map(|i| machine(&format!("m{i}"), "neutral", cores(10), &[]));
    let mut world = World::new(machines.collect(), 8, 0);
    world.scheduler.set_weight("a", weights[0]);
    world.scheduler.set_weight("b", weights[1]);
    world
}

/// The share of core minutes that region a gets in four hours, when so many jobs of each come
/// a minute: more than there is room for.
fn share_of_a(world: &mut World, a_minute: [u64; 2]) -> f64 {
    let mut id = 0;
    let mut got = [0, 0];
    for minute in 0..240 {
        world.clock.set(minute * MINUTE);
        for (region, count) in [("a", a_minute[0]), ("b", a_minute[1])] {
            for _ in 0..count {
                id += 1;
                world.submit([PassWindowJob {
                    submitted_at: minute * MINUTE,
                    deadline: 100 * HOUR,
                    ..job(id * 2 + u64::from(region == "b"), 2, region)
                }]);
            }
        }
        for placement in world.scheduler.tick().placed {
            got[(placement.job % 2) as usize] += 1;
        }
    }
    let all = f64::from(got[0] + got[1]);
    assert!(all >= 80.0 * 23.0, "the fleet was full: {all}");
    f64::from(got[0]) / all
}

#[test]
fn fair_share_at_equal_weights_twice_the_submissions_get_at_most_60_percent() {
    let share = share_of_a(&mut contended([1, 1]), [20, 10]);
    println!("2:1 submitted at equal weights: {:.1} %", share * 100.0);
    assert!((0.40..=0.60).contains(&share), "{share}");
}

#[test]
fn fair_share_weights_3_to_1_get_75_percent() {
    let share = share_of_a(&mut contended([3, 1]), [20, 20]);
    println!("weights 3:1: {:.1} %", share * 100.0);
    assert!((share - 0.75).abs() <= 0.03, "{share}");
}

#[test]
fn what_one_region_does_not_use_another_gets() {
    let share = share_of_a(&mut contended([1, 9]), [20, 2]);
    assert!(share > 0.70, "b needs a quarter: {share}");
}

#[test]
fn an_alert_of_a_region_that_had_much_does_not_make_newcomers_wait() {
    let mut world = World::of(&[20], 15);
    let of = |region: &str, id: u64| PassWindowJob {
        deadline: 100 * HOUR,
        ..job(id, 2, region)
    };
    let all_day = PassWindowJob {
        estimated_runtime: 20 * HOUR,
        req: cores(10),
        ..of("a", 0)
    };
    world.submit([all_day]);
    world.submit((1..200).map(|id| of("b", id)));
    assert_eq!(
        world.tick_at(0).placed.len(),
        1 + 7,
        "17 cores are not for alerts"
    );
    world.submit([PassWindowJob {
        estimated_runtime: MINUTE,
        ..job(1_000, 0, "a")
    }]);
    world.tick_at(MINUTE);
    world.submit((2_000..2_200).map(|id| of("c", id)));
    let mut got = [0_u32; 2];
    for turn in 1..7 {
        for placement in world.tick_at(turn * 10 * MINUTE).placed {
            got[usize::from(placement.job >= 2_000)] += 1;
        }
    }
    // Eight are tried on trust, so that regions may differ by so many.
    assert_eq!(got[0] + got[1], 42);
    assert!(got[0].abs_diff(got[1]) <= 8, "of b and of c: {got:?}");
}
