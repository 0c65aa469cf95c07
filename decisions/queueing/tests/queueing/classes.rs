//! Classes, aging and deadlines.

use proptest::prelude::*;
use queueing::{Aging, Deadlines, Discipline, Priority, Work};

use crate::drain;

const MINUTE: u64 = 60_000;

fn of_class(id: u64, class: u8, submitted_ms: u64) -> Work {
    Work {
        class,
        submitted_ms,
        ..Work::new(id)
    }
}

#[test]
fn the_first_class_goes_first_whoever_came_first() {
    let mut queue = Priority::new(Aging::default());
    for (id, class) in [(1, 2), (2, 1), (3, 0), (4, 1)] {
        queue.push(of_class(id, class, id));
    }
    assert_eq!(drain(&mut queue, 10), [3, 2, 4, 1]);
}

#[test]
fn five_minutes_of_waiting_are_a_class_and_not_a_millisecond_less() {
    let order = |now| {
        let mut queue = Priority::new(Aging::default());
        queue.push(of_class(1, 2, 0));
        queue.push(of_class(2, 1, 1));
        drain(&mut queue, now)
    };
    assert_eq!(order(5 * MINUTE - 1), [2, 1]);
    assert_eq!(order(5 * MINUTE), [1, 2]);
    // A minute later both are of the first class but one, and ten minutes later of the first.
    let mut queue = Priority::new(Aging::default());
    queue.push(of_class(1, 2, 0));
    queue.push(of_class(2, 0, 9 * MINUTE));
    assert_eq!(queue.pop(10 * MINUTE).map(|w| w.id), Some(1));
}

#[test]
fn aging_stops_at_the_best_class_it_may_reach() {
    let aging = Aging {
        best: 1,
        ..Aging::default()
    };
    let mut queue = Deadlines::new(aging);
    queue.push(of_class(1, 2, 0));
    queue.push(of_class(2, 0, 60 * MINUTE));
    queue.push(of_class(3, 1, 60 * MINUTE));
    assert_eq!(
        queue.first(60 * MINUTE).map(|(class, w)| (class, w.id)),
        Some((0, 2))
    );
    assert_eq!(drain(&mut queue, 60 * MINUTE), [2, 1, 3]);
}

#[test]
fn without_aging_a_class_waits_for_ever() {
    let mut queue = Priority::new(Aging {
        each_ms: 0,
        best: 0,
    });
    queue.push(of_class(1, 1, 0));
    queue.push(of_class(2, 0, u64::MAX));
    assert_eq!(drain(&mut queue, u64::MAX), [2, 1]);
}

#[test]
fn late_work_is_taken_out_the_moment_it_can_no_longer_be_in_time() {
    let mut queue = Deadlines::new(Aging::default());
    let work = |id, deadline_ms, runtime_ms| Work {
        deadline_ms,
        runtime_ms,
        ..Work::new(id)
    };
    queue.push(work(1, 100, 30));
    queue.push(work(2, 90, 10));
    queue.push(Work::new(3));
    queue.push(work(4, 5, 6));
    assert_eq!(queue.next_late_ms(), Some(0));
    assert_eq!(
        queue.pop_late(0).map(|w| w.id),
        Some(4),
        "it was late when it came"
    );
    assert_eq!(queue.pop_late(70), None, "1 can still start at 70");
    assert_eq!(queue.pop_late(71).map(|w| w.id), Some(1));
    assert_eq!(queue.pop_late(71), None);
    assert_eq!(queue.pop_late(u64::MAX).map(|w| w.id), Some(2));
    assert_eq!(queue.pop_late(u64::MAX), None, "3 has no deadline");
    assert_eq!(queue.len(), 1);
}

fn works() -> impl Strategy<Value = Vec<Work>> {
    let one = (0..4u8, 0..30 * MINUTE, 0..60 * MINUTE);
    let many = prop::collection::vec(one, 1..60);
    many.prop_map(|all| {
        let work = |(id, (class, submitted_ms, deadline_ms))| Work {
            class,
            submitted_ms,
            deadline_ms,
            ..Work::new(id)
        };
        (0..).zip(all).map(work).collect()
    })
}

/// The rule itself, in one line: the class less the whole steps it has waited for.
fn class_by_now(work: &Work, now: u64) -> u64 {
    let steps = now.saturating_sub(work.submitted_ms) / (5 * MINUTE);
    u64::from(work.class).saturating_sub(steps)
}

proptest! {
    #[test]
    fn edf_within_the_class_by_now(works in works(), now in 30 * MINUTE..90 * MINUTE) {
        let mut queue = Deadlines::new(Aging::default());
        works.iter().for_each(|work| queue.push(*work));
        let mut expected = works;
        expected.sort_by_key(|work| (class_by_now(work, now), work.deadline_ms, work.id));
        let expected: Vec<u64> = expected.iter().map(|work| work.id).collect();
        prop_assert_eq!(drain(&mut queue, now), expected);
    }

    #[test]
    fn the_clock_may_go_in_any_steps(
        works in works(), stops in prop::collection::vec(0..99u64, 9),
    ) {
        let mut often = Deadlines::new(Aging::default());
        works.iter().for_each(|work| often.push(*work));
        let mut now = 0;
        for stop in stops {
            now += stop * 1_000;
            let class = often.first(now).map(|(class, work)| (u64::from(class), *work));
            let (class, work) = class.expect("they wait");
            prop_assert_eq!(class, class_by_now(&work, now));
            let best = works.iter().map(|work| class_by_now(work, now)).min();
            prop_assert_eq!(Some(class), best);
        }
        prop_assert_eq!(often.len(), works.len());
    }

    #[test]
    fn nobody_starves_under_a_stream_of_the_first_class(
        class in 1..5u8, every_ms in 100..2_000u64,
    ) {
        let mut queue = Priority::new(Aging::default());
        queue.push(of_class(0, class, 0));
        let steps = u64::from(class) * 5 * MINUTE;
        let mut now = 0;
        for id in 1.. {
            // More comes than goes: two for each turn.
            queue.push(of_class(id * 2, 0, now));
            queue.push(of_class(id * 2 + 1, 0, now));
            if queue.pop(now).map(|work| work.id) == Some(0) {
                break;
            }
            prop_assert!(now <= 2 * steps + every_ms, "it waits since {now}");
            now += every_ms;
        }
        prop_assert!(now >= steps - every_ms, "not before those that came when it was lower");
    }
}
