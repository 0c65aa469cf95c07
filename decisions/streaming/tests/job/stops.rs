//! Stops, in every mode, at every moment: B11.

use streaming::{RowState, State, Stop};

use crate::workers::Knobs;
use crate::world::{World, program};

/// A moment at which a wish may come, and what then hangs.
const MOMENTS: [&str; 11] = [
    "created",
    "slots",
    "connect",
    "tasks",
    "running",
    "checkpoint",
    "commit",
    "rescaling",
    "restarting",
    "recovering",
    "adopting",
];

fn world_at(moment: &str) -> World {
    let mut world = World::new();
    match moment {
        "created" => return world,
        "slots" => world.knobs.capacity = Some(0),
        "connect" => world.knobs.silent = true,
        "tasks" => world.knobs.stuck = true,
        "checkpoint" => {
            world.run_to(State::Running);
            world.knobs.hanging = true;
            world.run_for(10_500);
        }
        "commit" => {
            world.run_to(State::Running);
            world.knobs.lazy = true;
            world.run_for(10_500);
        }
        _ => world.run_to(State::Running),
    }
    world.run_for(500);
    match moment {
        "rescaling" | "restarting" => {
            world.knobs.hanging = true;
            world.wish(|wish| match moment {
                "rescaling" => wish.program = program(3),
                _ => wish.restart_nonce += 1,
            });
        }
        "recovering" => {
            world.knobs.immortal = true;
            let id = world.alive()[0];
            world.kill_worker(id);
            world.run_for(500);
            assert_eq!(world.state(), State::Recovering);
        }
        "adopting" => {
            let alive = world.alive();
            let mute = world.workers.get_mut(&alive[0]).unwrap();
            mute.mute = true;
            world.crash();
            world.run_for(500);
        }
        _ => {}
    }
    world
}

#[test]
fn b11_every_stop_at_every_moment_is_obeyed_at_once_and_ends_in_time() {
    for moment in MOMENTS {
        for stop in [
            Stop::Checkpoint,
            Stop::Graceful,
            Stop::Immediate,
            Stop::Force,
        ] {
            let mut world = world_at(moment);
            world.stop(stop);
            world.run_for(1_000);
            let what = format!("{stop:?} at {moment}");
            let state = world.state();
            let adopting = moment == "adopting" && stop == Stop::Checkpoint;
            let obeys = matches!(
                state,
                State::CheckpointStopping | State::Stopping | State::Stopped
            );
            assert!(obeys || adopting, "{what}: {state}\n{}", world.tail());
            // The last checkpoint, the end of the tasks, the end of the workers.
            world.run_for(60_000 + 60_000 + 31_000);
            assert_eq!(world.state(), State::Stopped, "{what}\n{}", world.tail());
        }
    }
}

#[test]
fn b11_with_workers_that_do_what_they_are_told_every_stop_takes_less_than_a_second() {
    for moment in MOMENTS {
        for stop in [
            Stop::Checkpoint,
            Stop::Graceful,
            Stop::Immediate,
            Stop::Force,
        ] {
            let mut world = world_at(moment);
            world.knobs = Knobs::default();
            world
                .workers
                .values_mut()
                .for_each(|worker| worker.mute = false);
            if matches!(moment, "checkpoint" | "commit" | "rescaling" | "restarting") {
                continue; // What hung before hangs on: the test above has the bounds.
            }
            world.stop(stop);
            world.run_for(1_100);
            let what = format!("{stop:?} at {moment}");
            assert_eq!(world.state(), State::Stopped, "{what}\n{}", world.tail());
            assert!(world.alive().is_empty(), "{what}");
        }
    }
}

#[test]
fn b11_a_stop_with_a_checkpoint_waits_for_an_open_one_and_takes_the_last() {
    let mut world = World::new();
    world.run_to(State::Running);
    world.knobs.lazy = true;
    world.run_for(10_100);
    world.stop(Stop::Checkpoint);
    assert_eq!(world.state(), State::CheckpointStopping);
    world.knobs.lazy = false;
    world.run_for(5_000);
    assert_eq!(world.state(), State::Stopped);
    let rows: Vec<_> = world
        .rows
        .values()
        .map(|row| (row.state, row.then_stop))
        .collect();
    assert_eq!(rows, [(RowState::Ready, false), (RowState::Ready, true)]);
    assert_eq!(world.facts.failure, None);
    world.check_golden("b11_checkpoint_stop");
}

#[test]
fn b11_a_stop_whose_last_checkpoint_fails_stops_all_the_same_and_says_so() {
    let mut world = World::new();
    world.run_to(State::Running);
    world.knobs.hanging = true;
    world.stop(Stop::Checkpoint);
    world.run_to(State::Stopped);
    assert!(
        world.failure().contains("the last checkpoint"),
        "{}",
        world.failure()
    );
}

#[test]
fn b11_a_stronger_wish_is_obeyed_while_tasks_end() {
    let mut world = World::new();
    world.run_to(State::Running);
    world.knobs.stubborn = true;
    world.stop(Stop::Graceful);
    world.run_for(1_000);
    world.stop(Stop::Immediate);
    assert_eq!(world.count("end tasks now"), 1);
    world.run_for(1_000);
    world.stop(Stop::Force);
    world.run_for(100);
    assert_eq!(world.state(), State::Stopped);

    let mut world = World::new();
    world.run_to(State::Running);
    world.knobs.hanging = true;
    world.stop(Stop::Checkpoint);
    world.run_for(100);
    world.stop(Stop::Force);
    world.run_for(100);
    assert_eq!(world.state(), State::Stopped);
}

#[test]
fn b11_tasks_that_do_not_end_are_killed_after_their_time() {
    let mut world = World::new();
    world.run_to(State::Running);
    world.knobs.stubborn = true;
    world.stop(Stop::Immediate);
    world.run_to(State::Stopped);
    assert!((60_000..61_000).contains(&world.now), "{}", world.now);
    assert!(world.alive().is_empty());
}
