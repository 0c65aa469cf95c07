//! Where a job goes.

use passes::scheduler::{PassWindowJob, ResourceRequest};
use proptest::prelude::*;

use crate::world::{HOUR, MINUTE, World, cores, ids, job, machine, place_of, sized, tagged};

#[test]
fn best_fit_takes_the_tightest_machine() {
    let mut world = World::of(&[16, 8, 32], 0);
    world.submit([sized(1, 1, 6)]);
    assert_eq!(place_of(&world.tick_at(0), 1), Some("m1"));
    world.submit([sized(2, 1, 6)]);
    assert_eq!(place_of(&world.tick_at(0), 2), Some("m0"));
    world.submit([sized(3, 1, 10), sized(4, 1, 10), sized(5, 1, 2)]);
    let report = world.tick_at(0);
    assert_eq!(place_of(&report, 3), Some("m0"), "it fills it");
    assert_eq!(place_of(&report, 4), Some("m2"));
    assert_eq!(place_of(&report, 5), Some("m1"), "it fills it");
}

#[test]
fn its_own_region_goes_before_a_tighter_machine_elsewhere() {
    let machines = vec![
        machine("home", "r", cores(32), &[]),
        machine("away", "s", cores(1), &[]),
    ];
    let mut world = World::new(machines, 2, 0);
    world.submit([job(1, 1, "r"), sized(2, 1, 31), job(3, 1, "r")]);
    let report = world.tick_at(0);
    let places = [1, 2, 3].map(|id| place_of(&report, id));
    assert_eq!(places, [Some("home"), Some("home"), Some("away")]);
}

#[test]
fn headroom_is_kept_from_all_but_p0() {
    let mut world = World::of(&[100], 15);
    world.submit((0..100).map(|id| job(id, 1 + (id % 2) as u8, "r")));
    world.tick_at(0);
    assert_eq!(world.used("m0"), 85);
    world.submit((100..115).map(|id| job(id, 0, "r")));
    let report = world.tick_at(1);
    assert_eq!(world.used("m0"), 100);
    assert_eq!(report.preempted, [], "there was room for it");
}

#[test]
fn p0_displaces_with_the_least_harm() {
    let mut world = World::of(&[4, 4, 4], 0);
    world.submit([sized(1, 1, 4), sized(4, 2, 3), sized(5, 1, 1)]);
    world.tick_at(0);
    world.submit([sized(2, 2, 2), sized(3, 2, 2)]);
    world.tick_at(0);
    let used = ["m0", "m1", "m2"].map(|id| world.used(id));
    assert_eq!(used, [4, 4, 4], "the pass; 4 with 5; 2 with 3");
    // 4's machine: one batch job makes room for three cores; the pass beside it stays.
    world.submit([sized(6, 0, 3)]);
    let report = world.tick_at(MINUTE);
    let displaced: Vec<u64> = report.preempted.iter().map(|p| p.job).collect();
    assert_eq!(displaced, [4]);
    assert_eq!(report.preempted[0].grace_ms, 0, "batch stops at once");
    assert_eq!(world.scheduler.metrics().queue_depth_by_priority, [0, 0, 1]);
    // For all of a machine two batch jobs go, rather than one pass.
    world.submit([sized(7, 0, 4)]);
    let report = world.tick_at(2 * MINUTE);
    let mut displaced: Vec<u64> = report.preempted.iter().map(|p| p.job).collect();
    displaced.sort_unstable();
    assert_eq!(displaced, [2, 3]);
    // Then there is only a pass left, and it has time to stop.
    world.submit([sized(8, 0, 4)]);
    let report = world.tick_at(3 * MINUTE);
    assert_eq!(
        (report.preempted[0].job, report.preempted[0].grace_ms),
        (1, 30_000)
    );
    assert_eq!(report.placed[0].start_ms, 3 * MINUTE + 30_000);
    // And an alert displaces no alert.
    world.submit([sized(9, 0, 4)]);
    let report = world.tick_at(4 * MINUTE);
    assert_eq!((report.preempted.len(), report.placed.len()), (0, 0));
}

/// Batch that fills a machine of four cores for an hour and is due then, and a pass of one core for
/// ten minutes that is due in half an hour.
fn batch_and_pass(batch_due: u64) -> World {
    let mut world = World::of(&[4], 0);
    world.submit([PassWindowJob {
        deadline: batch_due,
        estimated_runtime: HOUR,
        ..sized(1, 2, 4)
    }]);
    world.tick_at(0);
    let due = 30 * MINUTE;
    world.submit([PassWindowJob {
        deadline: due,
        ..job(2, 1, "r")
    }]);
    world
}

#[test]
fn a_pass_takes_the_place_of_batch_at_its_last_moment_and_not_before() {
    let mut world = batch_and_pass(5 * HOUR);
    for minute in 1..20 {
        let report = world.tick_at(minute * MINUTE);
        assert!(
            report.placed.is_empty() && report.preempted.is_empty(),
            "{minute}"
        );
    }
    let report = world.tick_at(20 * MINUTE);
    assert_eq!((report.preempted[0].job, report.preempted[0].by), (1, 2));
    assert_eq!(place_of(&report, 2), Some("m0"));
    assert_eq!(
        ids(&world.tick_at(30 * MINUTE).placed),
        [1],
        "batch begins anew"
    );
    world.tick_at(90 * MINUTE);
    let metrics = world.scheduler.metrics();
    assert_eq!((metrics.total_completed, metrics.deadline_misses), (2, 0));
}

#[test]
fn batch_that_could_not_be_done_later_keeps_its_place() {
    let mut world = batch_and_pass(70 * MINUTE);
    let missed: Vec<u64> = (1..31)
        .flat_map(|minute| world.tick_at(minute * MINUTE).missed)
        .collect();
    assert_eq!(missed, [2]);
    assert_eq!(world.scheduler.metrics().preemptions, 0);
}

#[test]
fn a_lost_machine_gives_its_jobs_back_and_gets_none() {
    let mut world = World::of(&[4, 4], 0);
    world.submit([sized(1, 1, 4), sized(2, 2, 4)]);
    let report = world.tick_at(0);
    let lost = place_of(&report, 1).expect("it runs").to_owned();
    assert_eq!(world.scheduler.lose_machine(&lost), [1]);
    assert!(world.scheduler.lose_machine("no such machine").is_empty());
    assert!(world.tick_at(MINUTE).placed.is_empty(), "the other is full");
    assert!(world.scheduler.fleet().machine(&lost).is_none());
    world
        .scheduler
        .add_machine(machine(&lost, "r", cores(4), &[]))
        .expect("it is back");
    assert_eq!(place_of(&world.tick_at(2 * MINUTE), 1), Some(&*lost));
    world.tick_at(HOUR);
    assert_eq!(world.scheduler.metrics().total_completed, 2);
}

#[test]
fn a_gpu_is_not_kept_as_headroom() {
    let capacity = ResourceRequest {
        gpu_count: 1,
        ..cores(8)
    };
    let mut world = World::new(vec![machine("m0", "r", capacity, &[])], 1, 15);
    let req = ResourceRequest {
        gpu_count: 1,
        ..cores(1)
    };
    world.submit([1, 2].map(|id| PassWindowJob {
        req,
        ..job(id, 1, "r")
    }));
    assert_eq!(world.tick_at(0).placed.len(), 1);
}

const TAGS: [&str; 3] = ["station:a", "station:b", "gpu"];

fn some_jobs() -> impl Strategy<Value = Vec<(u8, usize, u32, u64, u8)>> {
    let one = (0..3u8, 0..3usize, 1..9u32, 1..60u64, 0..8u8);
    prop::collection::vec(one, 1..120)
}

proptest! {
    #[test]
    fn constraints_are_never_violated(jobs in some_jobs(), workers in 1..9usize) {
        let machines = (0..12).map(|i| {
            let tags: Vec<&str> = (0..3).filter(|tag| i >> tag & 1 == 1).map(|t| TAGS[t]).collect();
            machine(&format!("m{i}"), ["r", "s", "t"][i % 3], cores(10), &tags)
        });
        let mut world = World::new(machines.collect(), workers, 15);
        let wants = |mask: u8| -> Vec<&str> {
            (0..3).filter(|tag| mask >> tag & 1 == 1).map(|t| TAGS[t]).collect()
        };
        for (batch, now) in jobs.chunks(10).zip((0..).map(|i| i * 5 * MINUTE)) {
            world.clock.set(now);
            for (class, region, size, minutes, mask) in batch {
                let id = world.scheduler.metrics().total_submitted;
                let new = PassWindowJob {
                    req: cores(*size),
                    estimated_runtime: minutes * MINUTE,
                    deadline: now + 2 * minutes * MINUTE,
                    submitted_at: now,
                    ..job(id * 8 + u64::from(*mask), *class, ["r", "s", "t"][*region])
                };
                let _ = world.scheduler.submit(tagged(new, &wants(*mask)));
            }
            world.tick_at(now);
            for machine in world.scheduler.fleet().machines() {
                prop_assert!(machine.used.fits(&machine.capacity));
                for id in &machine.running {
                    let wanted = wants((id % 8) as u8);
                    prop_assert!(wanted.iter().all(|tag| machine.tags.contains(*tag)));
                }
            }
        }
        world.tick_at(1_000 * HOUR);
        let metrics = world.scheduler.metrics();
        let left: u64 = metrics.queue_depth_by_priority.iter().sum();
        prop_assert_eq!(left, 0);
        let given_up = metrics.total_submitted - metrics.total_rejected - metrics.total_completed;
        prop_assert!(given_up <= metrics.deadline_misses);
        let idle = world.scheduler.fleet().machines().all(|m| m.used == ResourceRequest::default());
        prop_assert!(idle, "what ended gave everything back");
    }
}
