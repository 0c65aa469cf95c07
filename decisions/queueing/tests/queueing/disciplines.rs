//! What every discipline promises, whatever its order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use queueing::{Aging, Deadlines, Discipline, Drf, FairShare, Fifo, Levels, Mlfq, Priority, Work};

const CAPACITY: [u64; 4] = [100, 100, 100, 100];

fn all() -> Vec<(&'static str, Box<dyn Discipline>)> {
    let weights = BTreeMap::from([(0, 1), (1, 3)]);
    let fair = FairShare::new(CAPACITY, weights.clone(), Deadlines::new(Aging::default()));
    vec![
        ("fifo", Box::new(Fifo::new())),
        ("priority", Box::new(Priority::new(Aging::default()))),
        ("deadlines", Box::new(Deadlines::new(Aging::default()))),
        ("fair share", Box::new(fair)),
        ("drf", Box::new(Drf::new(CAPACITY, weights))),
        ("mlfq", Box::new(Mlfq::new(Levels::default()))),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Push(Work),
    Pop,
    PopAndGiveBack,
    PopAndEnd(u64),
    Remove(u64),
}

fn work() -> impl Strategy<Value = Work> {
    let who = (0..20u64, 0..4u32, 0..3u8);
    let when = (0..1_000_000u64, 1..100_000u64, 0..3_000_000u64);
    (who, when, 0..50u64).prop_map(
        |((id, tenant, class), (submitted_ms, runtime_ms, due), a)| Work {
            id,
            tenant,
            class,
            submitted_ms,
            deadline_ms: submitted_ms + due,
            runtime_ms,
            demand: [a, 50 - a, 0, 1],
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => work().prop_map(Step::Push),
        2 => Just(Step::Pop),
        1 => Just(Step::PopAndGiveBack),
        1 => (0..200_000u64).prop_map(Step::PopAndEnd),
        1 => (0..20u64).prop_map(Step::Remove),
    ]
}

/// Takes the step, in the queue and in a map that knows no order.
fn take(queue: &mut dyn Discipline, model: &mut BTreeMap<u64, Work>, step: &Step, now: u64) {
    match step {
        Step::Push(work) => {
            queue.push(*work);
            model.insert(work.id, *work);
        }
        Step::Remove(id) => assert_eq!(queue.remove(*id), model.remove(id)),
        _ => {
            let popped = queue.pop(now);
            assert_eq!(popped.is_none(), model.is_empty());
            let Some(work) = popped else { return };
            assert_eq!(model.remove(&work.id), Some(work));
            match step {
                Step::PopAndGiveBack => {
                    queue.give_back(work);
                    model.insert(work.id, work);
                }
                Step::PopAndEnd(used_ms) => queue.ended(&work, *used_ms),
                _ => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn what_went_in_comes_out_once_and_unchanged(steps in prop::collection::vec(step(), 1..200)) {
        for (name, mut queue) in all() {
            let mut model = BTreeMap::new();
            for (now, step) in steps.iter().enumerate() {
                take(queue.as_mut(), &mut model, step, now as u64 * 10_000);
                prop_assert_eq!(queue.len(), model.len(), "{}", name);
                prop_assert_eq!(queue.is_empty(), model.is_empty());
            }
            while let Some(work) = queue.pop(u64::MAX) {
                prop_assert_eq!(model.remove(&work.id), Some(work), "{}", name);
            }
            prop_assert!(model.is_empty(), "{} kept {:?}", name, model);
        }
    }

    #[test]
    fn the_same_calls_get_the_same_answers(steps in prop::collection::vec(step(), 1..100)) {
        for ((_, mut one), (name, mut other)) in all().into_iter().zip(all()) {
            for (now, step) in steps.iter().enumerate() {
                let now = now as u64 * 10_000;
                if let Step::Push(work) = step {
                    one.push(*work);
                    other.push(*work);
                } else {
                    prop_assert_eq!(one.pop(now), other.pop(now), "{}", name);
                }
            }
        }
    }

    #[test]
    fn what_is_given_back_goes_next_again(works in prop::collection::vec(work(), 1..20)) {
        for (name, mut queue) in all() {
            for work in &works {
                queue.push(*work);
            }
            let popped = queue.pop(0).expect("some wait");
            queue.give_back(popped);
            prop_assert_eq!(queue.pop(0), Some(popped), "{}", name);
        }
    }
}

#[test]
fn fifo_keeps_the_order_of_arrival_also_of_what_comes_back() {
    let mut queue = Fifo::new();
    for id in 0..5 {
        queue.push(Work {
            submitted_ms: 10 - id,
            ..Work::new(id)
        });
    }
    let first = queue.pop(0).expect("five wait");
    assert_eq!(first.id, 4);
    queue.give_back(first);
    assert_eq!(crate::drain(&mut queue, 0), [4, 3, 2, 1, 0]);
}
