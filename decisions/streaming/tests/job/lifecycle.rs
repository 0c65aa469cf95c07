//! The life of a job: B1, B14, B21, B24, B27, B28.

use streaming::{
    Failure, Generation, Message, RestartMode, Settings, State, Stop, TaskId, TaskState, Wish,
};

use crate::world::{World, program};

#[test]
fn b01_a_submitted_job_runs_after_created_compiling_and_scheduling() {
    let mut world = World::new();
    world.run_to(State::Running);
    assert_eq!(world.moves(), ["Compiling", "Scheduling", "Running"]);
    world.check_golden("b01_submit");
}

#[test]
fn b01_the_time_of_the_first_start_is_kept_over_recoveries() {
    let mut world = World::new();
    world.run_to(State::Running);
    let started = world.job.facts().started_at_ms;
    world.run_for(5_000);
    let id = world.alive()[0];
    world.kill_worker(id);
    world.run_to(State::Recovering);
    world.run_to(State::Running);
    assert_eq!(world.job.facts().started_at_ms, started);
    world.stop(Stop::Immediate);
    world.run_to(State::Stopped);
    world.stop(Stop::None);
    world.run_to(State::Running);
    assert!(world.job.facts().started_at_ms > started);
    assert_eq!(world.job.facts().finished_at_ms, None);
}

#[test]
fn b14_tasks_that_finish_before_others_have_started_are_counted() {
    let mut world = World::new();
    world.knobs.finite = true;
    world.run_to(State::Finished);
    assert_eq!(
        world.moves(),
        [
            "Compiling",
            "Scheduling",
            "Running",
            "Finishing",
            "Finished"
        ]
    );
    assert!(world.alive().is_empty(), "no worker is left");
}

#[test]
fn a_job_finishes_when_all_its_sources_have_and_checkpoints_go_on_until_then() {
    let mut world = World::new();
    world.run_to(State::Running);
    let finish = |world: &mut World, task: TaskId| {
        let tasks = world.live_tasks(world.generation());
        let (id, _) = *tasks.iter().find(|(_, t)| *t == task).unwrap();
        world.move_task(1, id, task, TaskState::Finished);
        world.run_for(10);
    };
    finish(&mut world, TaskId::new(0, 0));
    assert_eq!(world.state(), State::Running);
    world.run_for(11_000);
    assert_eq!(
        world.rows.len(),
        1,
        "a checkpoint with a source that has ended"
    );
    finish(&mut world, TaskId::new(0, 1));
    assert_eq!(world.state(), State::Finishing);
    world.run_for(30_000);
    assert_eq!(world.rows.len(), 1, "none while it finishes");
    for task in world.facts.applied.program.tasks() {
        finish(&mut world, task);
    }
    assert_eq!(world.state(), State::Finished);
}

#[test]
fn b21_a_preview_ends_when_its_time_is_over_and_is_not_recovered() {
    let mut wish = Wish::new(program(2));
    wish.ttl_ms = Some(30_000);
    let mut world = World::with(Settings::default(), wish.clone(), 1);
    world.run_to(State::Running);
    world.run_to(State::Stopped);
    assert!((30_000..31_000).contains(&world.now), "{}", world.now);
    world.run_for(60_000);
    assert_eq!(world.state(), State::Stopped, "nobody starts it again");

    let mut world = World::with(Settings::default(), wish, 1);
    world.run_to(State::Running);
    let id = world.alive()[0];
    world.kill_worker(id);
    world.run_to(State::Failed);
    assert_eq!(world.job.facts().restarts, 0);
}

/// Brings a world to a state, or as near as there is something to wait for.
fn world_in(state: State) -> World {
    let mut world = World::new();
    match state {
        State::Created | State::Compiling => {}
        State::Scheduling => {
            world.knobs.silent = true;
            world.run_for(100);
        }
        _ => world.run_to(State::Running),
    }
    match state {
        State::Stopping => {
            world.knobs.stubborn = true;
            world.stop(Stop::Graceful);
        }
        State::CheckpointStopping => {
            world.knobs.hanging = true;
            world.stop(Stop::Checkpoint);
        }
        State::Rescaling => {
            world.knobs.hanging = true;
            world.wish(|wish| wish.program = program(3));
        }
        State::Restarting => {
            world.knobs.hanging = true;
            world.wish(|wish| wish.restart_nonce = 1);
        }
        State::Recovering => {
            world.knobs.immortal = true;
            let id = world.alive()[0];
            world.kill_worker(id);
            world.run_for(100);
        }
        State::Failing => {
            world.knobs.immortal = true;
            let id = world.alive()[0];
            let task = *world.workers[&id].tasks.keys().next().unwrap();
            let failure = Failure::fatal(streaming::Domain::User, "no such column");
            world.move_task(1, id, task, TaskState::Failed(failure));
            world.run_for(100);
        }
        _ => {}
    }
    if state != State::Created {
        assert_eq!(world.state(), state, "{}", world.tail());
    }
    world.knobs = crate::workers::Knobs::default();
    world
}

#[test]
fn b24_after_a_crash_of_its_controller_a_job_goes_where_it_should() {
    let expected = [
        (State::Created, State::Running),
        (State::Scheduling, State::Running),
        (State::Running, State::Running),
        (State::Rescaling, State::Running),
        (State::Restarting, State::Running),
        (State::Recovering, State::Running),
        (State::Stopping, State::Stopped),
        (State::CheckpointStopping, State::Stopped),
        (State::Failing, State::Failed),
    ];
    for (from, to) in expected {
        let mut world = world_in(from);
        world.crash();
        world.run_for(5_000);
        assert_eq!(world.state(), to, "from {from}:\n{}", world.tail());
    }
}

#[test]
fn b24_running_tasks_are_adopted_and_none_of_them_is_started_again() {
    let mut world = World::new();
    world.run_for(25_000);
    world.stop(Stop::None);
    let workers = world.alive();
    world.trace.clear();
    world.crash();
    world.run_for(25_000);
    assert_eq!(world.generation(), Generation(1));
    assert_eq!(world.alive(), workers);
    assert_eq!(world.count("kill workers"), 0);
    assert_eq!(world.count("start tasks"), 0);
    assert!(
        world.count("are ready") + world.count("is ready") > 0,
        "checkpoints go on"
    );
    world.check_golden("b24_adopted");
}

#[test]
fn b24_a_worker_that_died_together_with_the_controller_is_missed() {
    let mut world = World::new();
    world.run_for(15_000);
    let id = world.alive()[0];
    world.workers.get_mut(&id).unwrap().alive = false;
    world.crash();
    world.run_to(State::Recovering);
    world.run_to(State::Running);
    assert!(world.now < 18_000, "{}", world.now);
    assert_eq!(world.count("start tasks from checkpoint 1"), 1);
}

#[test]
fn b24_workers_that_run_something_else_are_not_adopted() {
    let mut world = World::new();
    world.run_for(15_000);
    let id = world.alive()[0];
    world.workers.get_mut(&id).unwrap().tasks.clear();
    world.crash();
    world.run_to(State::Recovering);
    assert!(
        world.failure().contains("does not run task"),
        "{}",
        world.failure()
    );
}

#[test]
fn b27_a_graceful_stop_takes_no_checkpoint() {
    let mut world = World::new();
    world.run_to(State::Running);
    world.stop(Stop::Graceful);
    world.run_to(State::Stopped);
    assert_eq!(world.count("end tasks, gracefully"), 1);
    assert!(world.rows.is_empty());
}

#[test]
fn b28_a_bad_program_is_said_once_and_the_job_can_be_mended() {
    let mut broken = program(2);
    broken.edges[0].to = streaming::OperatorId(9);
    let mut world = World::with(Settings::default(), Wish::new(broken), 1);
    world.run_for(60_000);
    assert_eq!(world.state(), State::Failed);
    assert_eq!(world.count("there is no operator 9"), 1);
    world.wish(|wish| {
        wish.program = program(2);
        wish.restart_nonce = 1;
        wish.restart_mode = RestartMode::Force;
    });
    world.run_to(State::Running);
    assert_eq!(world.job.facts().failure, None);
}

#[test]
fn b28_words_of_workers_nobody_knows_change_nothing() {
    let mut world = World::new();
    world.run_to(State::Running);
    let before = world.job.facts().clone();
    let id = streaming::WorkerId(77);
    for message in [
        Message::ChannelOpen,
        Message::ChannelFailed("x".into()),
        Message::Refused("x".into()),
        Message::Report(vec![(TaskId::new(9, 9), TaskState::Started)]),
        Message::Lost("x".into()),
    ] {
        world.say(1, id, message.clone());
        let known = world.alive()[0];
        if !matches!(message, Message::Lost(_)) {
            world.say(1, known, message);
        }
    }
    world.run_for(100);
    assert_eq!(world.job.facts(), &before);
}
