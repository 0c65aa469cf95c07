//! From a wish to running tasks: B2 to B10.

use streaming::{
    Domain, Event, Failure, Generation, Message, RetryHint, Settings, Slots, State, Stop, TaskId,
    Wish, WorkerId,
};

use crate::world::{World, program};

#[test]
fn b02_the_generation_is_durable_before_the_first_worker_and_grows_with_every_attempt() {
    let mut world = World::new();
    world.knobs.silent = true;
    world.run_for(599_000);
    world.knobs.silent = false;
    world.run_to(State::Running);
    // `World` asserts at every start that the stored generation is the one that starts.
    assert_eq!(world.generation(), Generation(2));
    assert_eq!(world.count("start workers of generation 1"), 1);
    assert_eq!(world.count("start workers of generation 2"), 1);
}

#[test]
fn b03_messages_of_another_generation_are_logged_and_change_nothing() {
    let mut world = World::new();
    world.knobs.capacity = Some(0);
    world.run_for(100);
    let connected = Message::Connected {
        node: "old".into(),
        slots: 8,
    };
    let old = |message| Event::Worker {
        generation: Generation(0),
        worker: WorkerId(99),
        message,
    };
    world.deliver(old(connected));
    assert_eq!(world.count("ignored: a message of generation 0"), 1);
    assert_eq!(world.count("open a channel to worker 99"), 0);
    world.knobs.capacity = None;
    world.run_to(State::Running);
    world.deliver(old(Message::Lost("gone".into())));
    let failed = Message::Task {
        task: TaskId::new(0, 0),
        state: streaming::TaskState::Failed(Failure::default()),
    };
    world.deliver(old(failed));
    assert_eq!(world.state(), State::Running);
}

#[test]
fn b04_a_job_takes_as_many_slots_as_its_largest_parallelism() {
    let mut wanted = program(4);
    wanted.operators[2].parallelism = 2;
    let mut world = World::with(Settings::default(), Wish::new(wanted), 1);
    world.slots_per_worker = 3;
    world.run_to(State::Running);
    assert_eq!(world.count("with 4 slots"), 1);
    assert_eq!(world.count("has 0..3"), 1, "{}", world.tail());
    let first = &world.workers[&WorkerId(1)];
    let second = &world.workers[&WorkerId(2)];
    let on_first = [TaskId::new(0, 0), TaskId::new(2, 0), TaskId::new(2, 1)];
    let full = if first.tasks.len() > second.tasks.len() {
        first
    } else {
        second
    };
    assert!(on_first.iter().all(|task| full.tasks.contains_key(task)));
}

#[test]
fn b05_slots_are_asked_for_every_second_until_there_are_enough() {
    let mut world = World::new();
    world.knobs.capacity = Some(1);
    world.run_for(5_500);
    assert_eq!(world.state(), State::Scheduling);
    assert_eq!(world.count("start workers"), 6);
    assert!(
        world
            .job
            .why()
            .join("; ")
            .contains("1 of 2 slots are missing")
    );
    world.knobs.capacity = Some(2);
    world.run_for(1_100);
    assert_eq!(world.state(), State::Running);
    world.check_golden("b05_slots");
}

#[test]
fn b05_without_slots_the_job_fails_when_its_time_is_over() {
    let mut world = World::new();
    world.knobs.capacity = Some(1);
    world.run_for(602_000);
    assert_eq!(world.state(), State::Failed);
    assert!(
        world
            .failure()
            .starts_with("not enough slots to schedule the job")
    );
}

#[test]
fn b05_a_stop_is_obeyed_while_slots_are_awaited() {
    let mut world = World::new();
    world.knobs.capacity = Some(1);
    world.run_for(5_500);
    world.stop(Stop::Checkpoint);
    world.run_for(1_000);
    assert_eq!(world.state(), State::Stopped);
}

#[test]
fn b05_a_backend_that_cannot_answer_is_asked_again_and_one_that_never_will_is_not() {
    let mut world = World::new();
    world.knobs.slots = Some(Slots::Failed("no route".into()));
    world.run_for(3_000);
    assert_eq!(world.state(), State::Scheduling);
    assert!(world.count("start workers") >= 3, "{}", world.tail());
    world.knobs.slots = Some(Slots::Refused("no such image".into()));
    world.run_to(State::Failed);
    assert!(world.failure().contains("no such image"));
}

#[test]
fn b06_a_channel_is_tried_three_times_with_growing_pauses() {
    let mut world = World::new();
    world.knobs.unreachable = 2;
    world.run_to(State::Running);
    assert_eq!(world.generation(), Generation(1));
    let tries = world
        .trace
        .iter()
        .filter(|line| line.contains("open a channel to worker 1"));
    let at: Vec<u64> = tries
        .map(|line| {
            line.trim_start()
                .split(' ')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert_eq!(at.len(), 3);
    let pauses = [at[1] - at[0], at[2] - at[1]];
    assert!((50..=101).contains(&pauses[0]), "{pauses:?}");
    assert!((100..=201).contains(&pauses[1]), "{pauses:?}");
}

#[test]
fn b06_a_worker_that_stays_out_of_reach_costs_an_attempt_and_then_a_restart() {
    let mut world = World::new();
    world.knobs.unreachable = 3;
    world.run_to(State::Recovering);
    assert_eq!(world.generation(), Generation(10));
    assert!(
        world.failure().contains("tried 10 times"),
        "{}",
        world.failure()
    );
    assert_eq!(world.job.facts().restarts, 1);
    world.knobs.unreachable = 0;
    world.run_to(State::Running);
}

#[test]
fn b07_a_worker_that_dies_before_its_tasks_start_is_noticed_at_once() {
    let mut world = World::new();
    world.knobs.dying = true;
    world.run_for(100);
    assert_eq!(world.count("lost worker"), 1, "{}", world.tail());
    world.knobs.dying = false;
    world.knobs.stuck = true;
    world.run_for(2_000);
    let id = world.alive()[0];
    world.kill_worker(id);
    world.knobs.stuck = false;
    world.run_for(2_000);
    assert_eq!(world.state(), State::Running, "{}", world.tail());
    assert_eq!(
        world.job.facts().restarts,
        0,
        "it was an attempt, not a restart"
    );
}

fn failure(hint: RetryHint) -> Failure {
    Failure {
        domain: Domain::User,
        hint,
        message: "division by zero".into(),
        task: None,
    }
}

#[test]
fn b08_a_task_that_fails_while_scheduling_decides_by_its_hint() {
    let mut world = World::new();
    world.knobs.failing = Some(failure(RetryHint::WithBackoff));
    world.run_to(State::Recovering);
    assert_eq!(world.job.facts().restarts, 1);
    world.knobs.failing = Some(failure(RetryHint::NoRetry));
    world.run_to(State::Failed);
    assert_eq!(world.failure(), "division by zero");
    let task = world.job.facts().failure.as_ref().unwrap().task;
    assert_eq!(task, Some(TaskId::new(0, 0)));
    world.check_golden("b08_failing_task");
}

#[test]
fn b09_tasks_that_cannot_be_set_up_are_tried_five_times() {
    let mut world = World::new();
    world.knobs.start = Some(Message::NotInitialized("no memory".into()));
    world.run_to(State::Recovering);
    assert_eq!(world.generation(), Generation(5));
    assert!(world.failure().contains("no memory"));
}

#[test]
fn b09_workers_that_do_not_take_their_tasks_are_tried_ten_times() {
    let mut world = World::new();
    world.knobs.start = Some(Message::Refused("generation 1 still runs".into()));
    world.run_to(State::Recovering);
    assert_eq!(world.generation(), Generation(10));
}

#[test]
fn b10_workers_or_tasks_that_are_late_are_tried_three_times() {
    let mut world = World::new();
    world.knobs.silent = true;
    world.run_to(State::Recovering);
    assert!(
        world.now >= 3 * 600_000 && world.now < 3 * 600_000 + 10_000,
        "{}",
        world.now
    );
    assert_eq!(world.generation(), Generation(3));

    let mut world = World::new();
    world.knobs.stuck = true;
    world.run_to(State::Recovering);
    assert!(
        world.now >= 3 * 120_000 && world.now < 3 * 120_000 + 10_000,
        "{}",
        world.now
    );
    assert!(world.failure().contains("6 tasks did not start in time"));
}

#[test]
fn b10_a_preview_does_not_wait_longer_than_it_lives() {
    let mut wish = Wish::new(program(2));
    wish.ttl_ms = Some(5_000);
    let mut world = World::with(Settings::default(), wish, 1);
    world.knobs.stuck = true;
    world.run_to(State::Failed);
    assert!(world.now < 30_000, "{}", world.now);
}
