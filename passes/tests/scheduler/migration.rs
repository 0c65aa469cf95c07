//! What runs is moved from full machines to empty ones.

use passes::scheduler::Migration;
use passes::scheduler::PassWindowJob;

use crate::world::{HOUR, MINUTE, World, cores, machine, sized};

/// Two machines of 100 cores, of which so many are taken of each by jobs of ten cores; all that
/// moves within ten ticks.
fn moves(class: u8, taken: [u32; 2], size: u32) -> Vec<Migration> {
    let mut world = World::new(vec![machine("full", "r", cores(100), &["first"])], 2, 15);
    let long = |id: u64, size, class| PassWindowJob {
        estimated_runtime: 5 * HOUR,
        ..sized(id, class, size)
    };
    world.submit((0..taken[0] / size).map(|id| long(id.into(), size, class)));
    world.tick_at(0);
    world
        .scheduler
        .add_machine(machine("empty", "s", cores(100), &[]))
        .expect("it is new");
    let filler = |id: u32| PassWindowJob {
        region: "s".to_owned(),
        ..long(u64::from(id) + 1_000, 5, class)
    };
    world.submit((0..taken[1] / 5).map(filler));
    let mut moved = Vec::new();
    for minute in 1..11 {
        moved.extend(world.tick_at(minute * MINUTE).migrated);
        assert!(world.used("full") >= world.used("empty"), "never reversing");
    }
    let count = world.scheduler.metrics().migrations_executed;
    assert_eq!(count, moved.len() as u64);
    moved
}

#[test]
fn migration_at_more_than_30_points_only() {
    assert_eq!(moves(2, [80, 50], 10), [], "30 points are not more than 30");
    let moved = moves(2, [80, 45], 10);
    assert_eq!(moved.len(), 1, "35 points are, and then it is 15");
    assert_eq!((&*moved[0].from, &*moved[0].to), ("full", "empty"));
}

#[test]
fn several_moves_even_it_out_until_the_difference_is_small() {
    assert_eq!(moves(2, [80, 0], 10).len(), 3, "80:0, 70:10, 60:20, 50:30");
}

#[test]
fn a_move_that_would_reverse_the_imbalance_is_not_made() {
    assert_eq!(moves(2, [80, 0], 80), []);
}

#[test]
fn a_move_costs_less_than_30_seconds() {
    assert!(
        moves(2, [80, 0], 10)
            .iter()
            .all(|moved| moved.cost_ms < 30_000)
    );
    // 20 GiB take 42 s to write, to read and to restart.
    assert_eq!(moves(2, [80, 0], 20), []);
}

#[test]
fn alerts_are_never_moved_and_batch_before_passes() {
    assert_eq!(moves(0, [80, 0], 10), []);
    assert_eq!(moves(1, [80, 0], 10).len(), 3);
    let mut world = World::new(vec![machine("full", "r", cores(100), &[])], 2, 15);
    let long = |id, class| PassWindowJob {
        estimated_runtime: 5 * HOUR,
        ..sized(id, class, 10)
    };
    world.submit((0..8).map(|id| long(id, 1 + (id == 5) as u8)));
    world.tick_at(0);
    world
        .scheduler
        .add_machine(machine("empty", "r", cores(100), &[]))
        .expect("it is new");
    let moved: Vec<Migration> = (1..6)
        .flat_map(|m| world.tick_at(m * MINUTE).migrated)
        .collect();
    assert_eq!(moved[0].job, 5);
}

#[test]
fn a_moved_job_ends_later_by_the_cost_and_not_before() {
    let mut world = World::new(vec![machine("full", "r", cores(10), &[])], 1, 0);
    world.submit((0..8).map(|id| sized(id, 2, 1)));
    world.tick_at(0);
    world
        .scheduler
        .add_machine(machine("empty", "r", cores(10), &[]))
        .expect("it is new");
    let moved: Vec<Migration> = (1..5).flat_map(|s| world.tick_at(s).migrated).collect();
    assert!(!moved.is_empty());
    let completed = world.tick_at(10 * MINUTE).completed;
    assert_eq!(completed.len(), 8 - moved.len());
    let cost = moved[0].cost_ms;
    assert_eq!(
        world.tick_at(10 * MINUTE + cost).completed.len(),
        moved.len()
    );
    assert_eq!(world.used("empty"), 0);
}

#[test]
fn a_job_that_would_be_late_for_it_is_not_moved() {
    let mut world = World::new(vec![machine("full", "r", cores(10), &[])], 1, 0);
    world.submit((0..8).map(|id| PassWindowJob {
        deadline: 10 * MINUTE,
        ..sized(id, 2, 1)
    }));
    world.tick_at(0);
    world
        .scheduler
        .add_machine(machine("empty", "r", cores(10), &[]))
        .expect("it is new");
    assert!((1..11).all(|second| world.tick_at(second).migrated.is_empty()));
}
