//! Capacity over time: admission and backfill.

use proptest::prelude::*;
use queueing::{Admission, Commitment, Profile, Refusal, Turn, Work, admit, backfill};

const CAPACITY: [u64; 4] = [10, 100, 0, 0];

fn held(from_ms: u64, until_ms: u64, cpu: u64) -> Commitment {
    Commitment {
        from_ms,
        until_ms,
        demand: [cpu, 0, 0, 0],
    }
}

fn needs(id: u64, cpu: u64, runtime_ms: u64) -> Work {
    Work {
        runtime_ms,
        demand: [cpu, 0, 0, 0],
        ..Work::new(id)
    }
}

fn due(cpu: u64, runtime_ms: u64, deadline_ms: u64) -> Work {
    Work {
        deadline_ms,
        ..needs(1, cpu, runtime_ms)
    }
}

#[test]
fn what_can_be_in_time_is_told_when() {
    let profile = Profile::new(CAPACITY, &[held(0, 50, 8)]);
    let admitted = |start_ms, latest_start_ms| {
        Ok(Admission {
            start_ms,
            latest_start_ms,
        })
    };
    assert_eq!(admit(&due(2, 30, 100), 10, &profile), admitted(10, 70));
    assert_eq!(admit(&due(3, 30, 100), 10, &profile), admitted(50, 70));
    assert_eq!(admit(&due(3, 50, 100), 10, &profile), admitted(50, 50));
    assert_eq!(
        admit(&needs(1, 10, 9), 10, &profile),
        admitted(50, u64::MAX)
    );
}

#[test]
fn what_cannot_be_in_time_is_told_why_and_by_how_much() {
    let profile = Profile::new(CAPACITY, &[held(0, 50, 8), held(80, 90, 9)]);
    let check = |work: Work, refusal: Refusal, text: &str| {
        assert_eq!(admit(&work, 10, &profile), Err(refusal));
        assert_eq!(refusal.to_string(), text);
    };
    let refusal = Refusal::TooLate {
        latest_start_ms: 5,
        late_by_ms: 5,
    };
    check(
        due(1, 30, 35),
        refusal,
        "it had to start by 5, 5 ms before it came",
    );
    let refusal = Refusal::TooBig {
        kind: 0,
        wanted: 12,
        short: 2,
    };
    check(
        due(12, 30, 900),
        refusal,
        "it needs 12 of resource 0, 2 more than there is",
    );
    let refusal = Refusal::NoRoom {
        latest_start_ms: 40,
        earliest_start_ms: 90,
        kind: 0,
        short: 1,
    };
    let text = "it has to start by 40, and there is room from 90 on: 1 of resource 0 are missing";
    check(due(3, 31, 71), refusal, text);
    // There is room at its latest start, but not for as long as it takes.
    let refusal = Refusal::NoRoom {
        latest_start_ms: 60,
        earliest_start_ms: 90,
        kind: 0,
        short: 3,
    };
    check(
        due(4, 31, 91),
        refusal,
        &text.replace("40", "60").replace("1 of", "3 of"),
    );
}

#[test]
fn easy_starts_small_work_that_is_done_before_the_large_one_could_start() {
    let mut profile = Profile::new(CAPACITY, &[held(0, 100, 6)]);
    let queue = [
        needs(1, 8, 50),
        needs(2, 4, 100),
        needs(3, 4, 100),
        needs(4, 2, 500),
    ];
    let turns = backfill(&queue, &mut profile, 0, 1);
    // 3 finds no room beside 2, and 4 would, but for 2. Neither is promised anything.
    let expected = [
        Turn::Reserved(1, 100),
        Turn::Start(2),
        Turn::Wait(3),
        Turn::Wait(4),
    ];
    assert_eq!(turns, expected);
}

#[test]
fn long_work_starts_when_it_leaves_room_for_the_promise() {
    let mut profile = Profile::new(CAPACITY, &[held(0, 100, 6)]);
    let queue = [needs(1, 8, 50), needs(2, 3, 500), needs(3, 2, 500)];
    let turns = backfill(&queue, &mut profile, 0, 1);
    assert_eq!(
        turns,
        [Turn::Reserved(1, 100), Turn::Wait(2), Turn::Start(3)]
    );
}

#[test]
fn what_is_larger_than_the_whole_waits_and_holds_nobody_up() {
    let mut profile = Profile::new(CAPACITY, &[]);
    let turns = backfill(&[needs(1, 11, 5), needs(2, 10, 5)], &mut profile, 0, 9);
    assert_eq!(turns, [Turn::Wait(1), Turn::Start(2)]);
}

fn queue() -> impl Strategy<Value = Vec<Work>> {
    let work = (1..11u64, 1..200u64);
    prop::collection::vec(work, 1..20).prop_map(|all| {
        let work = |(id, (cpu, runtime_ms))| needs(id, cpu, runtime_ms);
        (0..).zip(all).map(work).collect()
    })
}

fn commitments() -> impl Strategy<Value = Vec<Commitment>> {
    let one = (0..300u64, 1..200u64, 1..4u64);
    prop::collection::vec(one, 0..3).prop_map(|all| {
        all.into_iter()
            .map(|(from, for_ms, cpu)| held(from, from + for_ms, cpu))
            .collect()
    })
}

/// The first millisecond that fits, by trying each.
fn tried(profile: &Profile, work: &Work, from_ms: u64) -> Option<u64> {
    let fits = |at: u64| (at..at + work.runtime_ms).all(|at| work.demand[0] <= profile.free(at)[0]);
    (from_ms..2_000).find(|at| fits(*at))
}

proptest! {
    #[test]
    fn the_earliest_is_what_trying_every_millisecond_finds(
        commitments in commitments(), cpu in 1..11u64, runtime in 1..100u64, from in 0..400u64,
    ) {
        let profile = Profile::new(CAPACITY, &commitments);
        let work = needs(1, cpu, runtime);
        let earliest = profile.earliest(&work.demand, runtime, from);
        prop_assert_eq!(earliest, tried(&profile, &work, from));
    }

    #[test]
    fn admission_refuses_exactly_what_cannot_be_in_time(
        commitments in commitments(), cpu in 1..13u64, runtime in 1..100u64, deadline in 1..600u64,
    ) {
        let profile = Profile::new(CAPACITY, &commitments);
        let work = due(cpu, runtime, deadline);
        let start = tried(&profile, &work, 20).filter(|start| start + runtime <= deadline);
        match admit(&work, 20, &profile) {
            Ok(admission) => prop_assert_eq!(Some(admission.start_ms), start),
            Err(refusal) => {
                prop_assert_eq!(start, None, "{}", refusal);
                if let Refusal::NoRoom { short, .. } = refusal {
                    prop_assert!(short > 0);
                }
            }
        }
    }

    #[test]
    fn backfill_never_takes_more_than_there_is_and_keeps_its_promises(
        queue in queue(), commitments in commitments(), reservations in 0..20usize,
    ) {
        let before = Profile::new(CAPACITY, &commitments);
        let mut profile = before.clone();
        let turns = backfill(&queue, &mut profile, 0, reservations);
        let mut total = before.clone();
        for (work, turn) in queue.iter().zip(&turns) {
            let from_ms = match *turn {
                Turn::Start(_) => 0,
                Turn::Reserved(_, at) => at,
                Turn::Wait(_) => continue,
            };
            for at in from_ms..from_ms + work.runtime_ms {
                prop_assert!(total.free(at)[0] >= work.demand[0], "{turns:?}");
            }
            total.add(&held(from_ms, from_ms + work.runtime_ms, work.demand[0]));
        }
        let reserved = turns.iter().filter(|turn| matches!(turn, Turn::Reserved(..))).count();
        prop_assert!(reserved <= reservations);
    }

    #[test]
    fn the_first_that_waits_never_waits_longer_for_those_that_passed_it(queue in queue()) {
        let commitments = [held(0, 100, 6)];
        let mut alone = Profile::new(CAPACITY, &commitments);
        let mut all = alone.clone();
        let first = backfill(&queue[..1], &mut alone, 0, 1);
        prop_assert_eq!(first[0], backfill(&queue, &mut all, 0, 1)[0]);
    }
}
