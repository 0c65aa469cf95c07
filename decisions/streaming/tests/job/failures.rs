//! Things that break: B18, B19, B20, B25, B26, B30.

use streaming::{Epoch, Generation, Message, RetryHint, Settings, State, Stop, TaskState, Wish};

use crate::world::{World, program};

#[test]
fn b18_a_silent_worker_is_lost_after_the_timeout_and_the_last_epoch_restored() {
    let mut world = World::new();
    world.run_for(15_000);
    let id = world.alive()[0];
    world.workers.get_mut(&id).unwrap().mute = true;
    world.run_to(State::Recovering);
    assert!((44_000..47_000).contains(&world.now), "{}", world.now);
    assert!(world.failure().contains("silent"));
    world.run_to(State::Running);
    assert_eq!(world.facts.restored.unwrap().epoch, Epoch(1));
}

#[test]
fn b19_recovery_from_the_death_of_a_process_takes_less_than_a_second() {
    let mut world = World::new();
    world.run_for(15_000);
    world.trace.clear();
    let id = world.alive()[0];
    world.kill_worker(id);
    world.run_to(State::Recovering);
    world.run_to(State::Running);
    assert!(world.now < 15_200, "{}", world.now);
    world.check_golden("b19_recovery");
}

#[test]
fn b20_restarts_are_forgotten_after_a_healthy_while() {
    let mut world = World::new();
    world.run_for(15_000);
    let id = world.alive()[0];
    world.kill_worker(id);
    world.run_for(60_000);
    assert_eq!(world.facts.restarts, 1);
    world.run_for(70_000);
    assert_eq!(world.facts.restarts, 0);
    assert_eq!(world.facts.failure, None);
}

#[test]
fn b20_too_many_restarts_exhaust_the_job_with_growing_pauses_between() {
    let settings = Settings {
        restarts_max: Some(4),
        ..Settings::default()
    };
    let mut world = World::with(settings, Wish::new(program(2)), 1);
    let failure = streaming::Failure::retryable(streaming::Domain::External, "disk away");
    world.knobs.failing = Some(failure);
    world.run_to(State::Failed);
    assert_eq!(world.failure(), "exhausted after 4 restarts: disk away");
    // The pauses before restarts 2 to 4 are 250-500, 500-1000 and 1000-2000 ms.
    assert!((1_750..3_800).contains(&world.now), "{}", world.now);
    world.knobs.failing = None;
    world.wish(|wish| wish.restart_nonce += 1);
    world.run_to(State::Running);
    assert_eq!(world.facts.restarts, 0);
}

#[test]
fn b20_without_a_limit_nothing_overflows() {
    let settings = Settings {
        restarts_max: None,
        ..Settings::default()
    };
    let mut world = World::with(settings, Wish::new(program(1)), 1);
    let failure = streaming::Failure::retryable(streaming::Domain::External, "disk away");
    world.knobs.failing = Some(failure);
    world.run_for(3 * 3_600_000);
    assert!(world.facts.restarts > 100, "{}", world.facts.restarts);
    world.knobs.failing = None;
    world.run_to(State::Running);
}

#[test]
fn b25_a_controller_that_comes_back_is_fenced_by_the_generation() {
    let mut world = World::new();
    world.run_for(15_000);
    // The old controller stands still here; a new one takes over and has to recover.
    let mut old = world.job.clone();
    let id = world.alive()[0];
    world.workers.get_mut(&id).unwrap().alive = false;
    world.crash();
    world.run_to(State::Recovering);
    world.run_to(State::Running);
    assert_eq!(world.generation(), Generation(2));
    let orders = old.step(world.now, streaming::Event::Wake);
    let current: Vec<_> = orders
        .iter()
        .filter(|action| match action {
            streaming::Action::Commit { generation, .. }
            | streaming::Action::Checkpoint { generation, .. }
            | streaming::Action::StopWorkers { generation } => *generation >= Generation(2),
            _ => false,
        })
        .collect();
    assert!(
        current.is_empty(),
        "none of its orders means the new workers: {current:?}"
    );
}

#[test]
fn b26_a_failure_says_task_domain_and_hint_in_facts_and_log() {
    let mut world = World::new();
    world.run_for(15_000);
    let (id, task) = world.live_tasks(world.generation())[3];
    let failure = streaming::Failure {
        domain: streaming::Domain::User,
        hint: RetryHint::NoRetry,
        message: "column `x` is no number".into(),
        task: None,
    };
    world.move_task(1, id, task, TaskState::Failed(failure));
    world.run_to(State::Failed);
    let failure = world.facts.failure.clone().unwrap();
    assert_eq!(
        (failure.task, failure.domain),
        (Some(task), streaming::Domain::User)
    );
    assert_eq!(world.count("column `x` is no number: the job fails"), 1);
    assert!(
        world
            .job
            .why()
            .iter()
            .any(|line| line.contains("column `x`"))
    );
}

#[test]
fn b30_two_jobs_do_not_share_a_fate() {
    let mut first = World::new();
    let mut second = World::with(Settings::default(), Wish::new(program(3)), 8);
    first.run_for(15_000);
    second.run_for(15_000);
    // A node dies under both; each hears of its own workers alone.
    for id in first.alive() {
        first.kill_worker(id);
    }
    first.run_to(State::Recovering);
    first.knobs.capacity = Some(0);
    first.run_for(30_000);
    second.run_for(30_000);
    assert_eq!(
        first.state(),
        State::Scheduling,
        "no slot of the lost node is counted"
    );
    assert_eq!(second.state(), State::Running);
    assert_eq!(second.generation(), Generation(1));
    first.stop(Stop::Force);
    first.run_for(1_000);
    assert_eq!(first.state(), State::Stopped);
}

#[test]
fn a_backend_that_never_confirms_does_not_hold_a_recovery_for_ever() {
    let settings = Settings {
        restarts_max: Some(3),
        ..Settings::default()
    };
    let mut world = World::with(settings, Wish::new(program(2)), 1);
    world.run_for(15_000);
    world.knobs.immortal = true;
    let id = world.alive()[0];
    world.kill_worker(id);
    world.run_to(State::Failed);
    assert!(world.now < 15_000 + 4 * 31_000, "{}", world.now);
    assert!(
        world.failure().contains("did not confirm"),
        "{}",
        world.failure()
    );
}

#[test]
fn a_worker_without_a_part_may_go() {
    let mut world = World::new();
    world.slots_per_worker = 4;
    world.run_to(State::Running);
    let id = streaming::WorkerId(50);
    world.say(1, id, Message::Lost("it was a spare".into()));
    world.run_for(10);
    assert_eq!(world.state(), State::Running);
}
