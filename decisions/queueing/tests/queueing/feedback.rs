//! Multi-level feedback.

use queueing::{Discipline, Levels, Mlfq, Work};

use crate::drain;

fn mlfq() -> Mlfq {
    Mlfq::new(Levels {
        count: 3,
        slice_ms: 100,
        boost_ms: 10_000,
    })
}

/// It runs for a slice, and comes back.
fn slice(queue: &mut Mlfq, now_ms: u64, used_ms: u64) -> u64 {
    let work = queue.pop(now_ms).expect("some wait");
    queue.ended(&work, used_ms);
    queue.push(work);
    work.id
}

#[test]
fn whoever_used_its_slice_falls_behind_those_who_did_not() {
    let mut queue = mlfq();
    queue.push(Work::new(1));
    queue.push(Work::new(2));
    assert_eq!(slice(&mut queue, 0, 100), 1);
    assert_eq!(slice(&mut queue, 0, 50), 2);
    assert_eq!(slice(&mut queue, 0, 50), 2, "it had half of its slice left");
    assert_eq!(
        slice(&mut queue, 0, 199),
        1,
        "they are on one level, and 1 came first"
    );
    queue.push(Work::new(3));
    assert_eq!(drain(&mut queue, 0), [3, 2, 1]);
}

#[test]
fn a_level_below_lasts_twice_as_long_and_the_last_for_ever() {
    let mut queue = mlfq();
    queue.push(Work::new(1));
    slice(&mut queue, 0, 299);
    queue.push(Work::new(2));
    slice(&mut queue, 0, 100);
    assert_eq!(
        slice(&mut queue, 0, 1),
        1,
        "299 of 300: it is on the second level, and first"
    );
    assert_eq!(drain(&mut queue, 0), [2, 1], "300: it fell to the third");
}

#[test]
fn a_boost_brings_everybody_to_the_top_so_that_none_starves() {
    let mut queue = mlfq();
    queue.push(Work::new(0));
    slice(&mut queue, 0, 5_000);
    let mut now = 0;
    // Short work never ends: one more for each that goes.
    for id in 1.. {
        queue.push(Work::new(id));
        let work = queue.pop(now).expect("some wait");
        if work.id == 0 {
            break;
        }
        queue.ended(&work, 50);
        now += 50;
        assert!(now <= 10_050, "it starves");
    }
    assert!(
        now >= 10_000,
        "it went before short work without a boost, at {now}"
    );
}

#[test]
fn what_found_no_place_is_at_the_front_of_its_level() {
    let mut queue = mlfq();
    (1..4).for_each(|id| queue.push(Work::new(id)));
    let first = queue.pop(0).expect("three wait");
    queue.give_back(first);
    assert_eq!(drain(&mut queue, 0), [1, 2, 3]);
}

#[test]
fn settings_of_nothing_are_the_least_that_work() {
    let mut queue = Mlfq::new(Levels {
        count: 0,
        slice_ms: 0,
        boost_ms: 0,
    });
    queue.push(Work::new(1));
    slice(&mut queue, 0, u64::MAX);
    slice(&mut queue, 0, u64::MAX);
    assert_eq!(drain(&mut queue, u64::MAX), [1]);
}
