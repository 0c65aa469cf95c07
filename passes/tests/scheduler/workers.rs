//! The workers: they steal, they agree, and who does not run them on threads repeats them.

use std::collections::BTreeSet;

use passes::scheduler::{PassWindowJob, Scheduler, TickReport};

use crate::world::{MINUTE, World, cores, ids, job, machine};

/// A fleet of several regions, and jobs for all of them or for one.
fn world(jobs: u64, regions: u64) -> World {
    let machines =
        (0..200).map(|i| machine(&format!("m{i}"), &format!("r{}", i % 8), cores(64), &[]));
    let mut world = World::new(machines.collect(), 4, 15);
    world.submit((0..jobs).map(|id| PassWindowJob {
        deadline: (60 + id % 97) * MINUTE,
        ..job(id, 1 + (id % 2) as u8, &format!("r{}", id % regions))
    }));
    world
}

fn in_turns(mut world: World) -> World {
    let scheduler = std::mem::replace(
        &mut world.scheduler,
        Scheduler::new(Default::default(), 1, 0),
    );
    world.scheduler = scheduler.in_turns();
    world
}

#[test]
fn stealing_balances_a_fully_skewed_submission() {
    let mut world = in_turns(world(8_000, 1));
    assert_eq!(world.tick_at(0).placed.len(), 8_000);
    let metrics = world.scheduler.metrics();
    assert!(metrics.steal_successes > 0 && metrics.steal_attempts >= metrics.steal_successes);
    for decisions in metrics.decisions_by_worker {
        assert!(
            (1_600..=2_400).contains(&decisions),
            "a quarter is 2,000: {decisions}"
        );
    }
}

#[test]
fn threads_place_each_job_once_and_overfill_nothing() {
    let mut world = world(20_000, 1);
    let placed = ids(&world.tick_at(0).placed);
    // 54 of 64 cores on each of 200 machines.
    assert_eq!(placed.len(), 200 * 54);
    assert_eq!(placed.iter().collect::<BTreeSet<_>>().len(), placed.len());
    for machine in world.scheduler.fleet().machines() {
        assert_eq!(
            (machine.used.cpu_millicores, machine.running.len()),
            (54_000, 54)
        );
    }
    assert_eq!(world.scheduler.waiting(), 20_000 - 200 * 54);
}

#[test]
fn in_turns_the_same_calls_get_the_same_answers() {
    let run = || -> Vec<TickReport> {
        let mut world = in_turns(world(15_000, 5));
        (0..20)
            .map(|minute| world.tick_at(minute * MINUTE))
            .collect()
    };
    assert_eq!(run(), run());
}

#[test]
fn where_ends_are_reported_nothing_ends_by_itself() {
    let mut world = World::of(&[1], 0);
    let scheduler = std::mem::replace(
        &mut world.scheduler,
        Scheduler::new(Default::default(), 1, 0),
    );
    world.scheduler = scheduler.with_reported_ends();
    world.submit([job(1, 1, "r"), job(2, 1, "r")]);
    assert_eq!(ids(&world.tick_at(0).placed), [1]);
    assert_eq!(world.tick_at(11 * MINUTE), TickReport::default());
    assert!(!world.scheduler.finished(2, "m0"), "it does not run there");
    assert!(world.scheduler.finished(1, "m0"));
    assert_eq!(ids(&world.tick_at(12 * MINUTE).placed), [2]);
    assert_eq!(world.scheduler.metrics().total_completed, 1);
}
