//! Rescaling and restarting: B22, B23.

use streaming::{Epoch, Failure, Generation, RestartMode, RowState, State, Stop, TaskState};

use crate::world::{World, program};

#[test]
fn b22_a_rescale_takes_a_last_checkpoint_and_goes_on_from_it() {
    let mut world = World::new();
    world.run_for(5_000);
    for (parallelism, generation) in [(1, 2), (2, 3), (3, 4), (1, 5)] {
        world.trace.clear();
        world.wish(|wish| wish.program = program(parallelism));
        assert_eq!(world.state(), State::Rescaling);
        world.run_to(State::Running);
        assert_eq!(world.generation(), Generation(generation));
        let last = *world.rows.keys().next_back().unwrap();
        assert_eq!(world.facts.restored.unwrap().epoch, last);
        assert!(world.rows[&last].then_stop);
        assert_eq!(world.shown, last);
        let tasks = world.facts.applied.program.tasks().len();
        assert_eq!(tasks, 3 * parallelism as usize);
    }
    assert_eq!(world.facts.restarts, 0);
    world.check_golden("b22_rescale");
}

#[test]
fn b22_a_change_of_parallelism_while_scheduling_schedules_anew() {
    let mut world = World::new();
    world.knobs.capacity = Some(1);
    world.run_for(3_000);
    world.wish(|wish| wish.program = program(1));
    world.run_for(100);
    assert_eq!(world.state(), State::Running);
    assert_eq!(world.generation(), Generation(2));
}

#[test]
fn b23_a_safe_restart_takes_a_last_checkpoint_and_a_forced_one_does_not() {
    let mut world = World::new();
    world.run_for(5_000);
    world.wish(|wish| _ = wish.env.insert("LEVEL".into(), "debug".into()));
    assert_eq!(world.state(), State::Restarting);
    world.run_to(State::Running);
    assert_eq!(world.facts.restored.unwrap().epoch, Epoch(1));
    world.wish(|wish| {
        wish.restart_nonce += 1;
        wish.restart_mode = RestartMode::Force;
    });
    world.run_to(State::Running);
    assert_eq!(world.generation(), Generation(3));
    assert_eq!(world.rows.len(), 1);
    assert_eq!(world.facts.restarts, 0, "what is wished is no failure");
}

#[test]
fn b23_a_last_checkpoint_that_fails_lets_the_job_go_on_from_the_one_before() {
    for broken in ["hangs", "fails", "worker"] {
        let mut world = World::new();
        world.run_for(15_000);
        world.knobs.hanging = broken != "fails";
        world.manifest_failure = (broken == "fails").then(|| "no space".into());
        world.wish(|wish| wish.restart_nonce += 1);
        if broken == "worker" {
            let id = world.alive()[0];
            world.kill_worker(id);
        }
        world.run_to(State::Scheduling);
        world.run_to(State::Running);
        assert!(world.now <= 76_000, "{broken}: {}", world.now);
        assert_eq!(world.facts.restored.unwrap().epoch, Epoch(1), "{broken}");
        assert_eq!(world.rows[&Epoch(2)].state, RowState::Failed, "{broken}");
        assert_eq!(world.facts.restarts, 0, "{broken}");
    }
}

#[test]
fn b23_a_restart_that_becomes_forced_does_not_wait_for_its_checkpoint() {
    let mut world = World::new();
    world.run_for(5_000);
    world.knobs.hanging = true;
    world.wish(|wish| wish.restart_nonce += 1);
    world.run_for(2_000);
    assert_eq!(world.state(), State::Restarting);
    world.wish(|wish| wish.restart_mode = RestartMode::Force);
    world.run_for(200);
    assert_eq!(world.state(), State::Running);
}

#[test]
fn a_fatal_failure_during_a_rescale_fails_the_job() {
    let mut world = World::new();
    world.run_for(5_000);
    world.knobs.hanging = true;
    world.wish(|wish| wish.program = program(3));
    let (id, task) = world.live_tasks(world.generation())[0];
    let failure = Failure::fatal(streaming::Domain::User, "overflow");
    world.move_task(1, id, task, TaskState::Failed(failure));
    world.run_to(State::Failed);
}

#[test]
fn data_that_ends_before_the_last_checkpoint_is_whole_is_worked_off_again() {
    let mut world = World::new();
    world.run_for(9_999);
    world.knobs.hanging = true;
    world.run_for(10);
    world.wish(|wish| wish.program = program(3));
    for (id, task) in world.live_tasks(world.generation()) {
        world.move_task(1, id, task, TaskState::Finished);
    }
    world.knobs.finite = true;
    world.run_to(State::Finished);
    assert_eq!(world.generation(), Generation(2));
}

#[test]
fn a_stop_with_a_checkpoint_during_a_rescale_uses_the_checkpoint_under_way() {
    let mut world = World::new();
    world.run_for(5_000);
    world.wish(|wish| wish.program = program(3));
    world.stop(Stop::Checkpoint);
    assert_eq!(world.state(), State::CheckpointStopping);
    world.run_to(State::Stopped);
    assert_eq!(world.rows.len(), 1);
    world.stop(Stop::None);
    world.run_to(State::Running);
    assert_eq!(world.facts.restored.unwrap().epoch, Epoch(1));
    assert_eq!(world.facts.applied.program, program(3));
}
