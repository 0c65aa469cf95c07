//! Checkpoints: B12, B13, B15, B16, B17, B29.

use streaming::{CheckpointId, Epoch, Generation, Message, RowState, State, TaskId};

use crate::world::World;

fn id(epoch: u64, generation: u64) -> CheckpointId {
    CheckpointId {
        epoch: Epoch(epoch),
        generation: Generation(generation),
    }
}

fn kill_one(world: &mut World) {
    let id = world.alive()[0];
    world.kill_worker(id);
    world.run_to(State::Recovering);
    world.run_to(State::Running);
}

#[test]
fn b12_the_newest_whole_checkpoint_is_restored_and_unfinished_ones_fail() {
    let mut world = World::new();
    world.run_for(25_000);
    world.knobs.hanging = true;
    world.run_for(6_000);
    assert_eq!(world.rows[&Epoch(3)].state, RowState::InProgress);
    kill_one(&mut world);
    assert_eq!(world.rows[&Epoch(3)].state, RowState::Failed);
    assert_eq!(world.facts.restored, Some(id(2, 1)));
}

#[test]
fn b12_state_before_an_epoch_is_ignored_and_that_epoch_comes_next() {
    let mut world = World::new();
    world.run_for(25_000);
    world.wish(|wish| wish.ignore_state_before_epoch = Some(Epoch(2)));
    kill_one(&mut world);
    assert_eq!(
        world.facts.restored,
        Some(id(2, 1)),
        "an equal epoch is restored"
    );
    world.shown = Epoch(0); // What was shown is to be written anew, by wish.
    world.wish(|wish| wish.ignore_state_before_epoch = Some(Epoch(9)));
    kill_one(&mut world);
    assert_eq!(world.facts.restored, None);
    world.run_for(11_000);
    assert_eq!(*world.rows.keys().next_back().unwrap(), Epoch(9));
}

#[test]
fn a_broken_checkpoint_falls_back_to_an_older_one_if_nothing_of_it_was_shown() {
    let mut world = World::new();
    let mut program = world.job.wish().program.clone();
    program.operators[2].shows = false;
    world.wish(|wish| wish.program = program);
    world.run_for(25_000);
    world.broken.insert(id(2, world.generation().0));
    kill_one(&mut world);
    assert_eq!(world.facts.restored.unwrap().epoch, Epoch(1));
    assert_eq!(world.rows[&Epoch(2)].state, RowState::Failed);
    assert!(
        world.rows[&Epoch(2)]
            .why
            .as_ref()
            .unwrap()
            .contains("checksum")
    );
}

#[test]
fn a_broken_checkpoint_whose_rows_are_shown_fails_the_job_instead_of_showing_them_twice() {
    let mut world = World::new();
    world.run_for(25_000);
    world.broken.insert(id(2, 1));
    let worker = world.alive()[0];
    world.kill_worker(worker);
    world.run_to(State::Failed);
    assert!(
        world.failure().contains("would show it twice"),
        "{}",
        world.failure()
    );
    assert!(world.failure().contains("ignore_state_before_epoch 3"));
}

#[test]
fn a_checkpoint_that_tasks_cannot_read_is_not_restored_again() {
    let mut world = World::new();
    let mut program = world.job.wish().program.clone();
    program.operators[2].shows = false;
    world.wish(|wish| wish.program = program);
    world.run_for(25_000);
    let mut failure = streaming::Failure::retryable(streaming::Domain::External, "cut file");
    failure.hint = streaming::RetryHint::OlderCheckpoint;
    world.knobs.failing = Some(failure);
    let worker = world.alive()[0];
    world.kill_worker(worker);
    world.run_to(State::Recovering);
    world.run_to(State::Scheduling);
    world.run_to(State::Recovering);
    world.knobs.failing = None;
    world.run_to(State::Running);
    assert_eq!(world.facts.restored.unwrap().epoch, Epoch(1));
}

#[test]
fn b13_a_commit_under_way_is_finished_after_a_recovery() {
    let mut world = World::new();
    world.knobs.lazy = true;
    world.run_for(11_000);
    assert_eq!(world.rows[&Epoch(1)].state, RowState::Committing);
    world.knobs.lazy = false;
    world.trace.clear();
    kill_one(&mut world);
    world.run_for(11_000);
    assert_eq!(world.facts.restored, Some(id(1, 1)));
    assert!(world.shown >= Epoch(1));
    assert_eq!(world.rows[&Epoch(1)].state, RowState::Ready);
    world.check_golden("b13_commit");
}

#[test]
fn b13_a_commit_without_answer_is_told_again_and_then_the_job_is_recovered() {
    let mut world = World::new();
    world.knobs.lazy = true;
    world.run_for(30_000);
    assert_eq!(world.count(" commit 1"), 10);
    world.run_to(State::Recovering);
    assert!(world.failure().contains("did not commit in time"));
}

#[test]
fn b15_epochs_grow_over_restarts_and_no_number_is_used_twice() {
    let mut world = World::new();
    for _ in 0..4 {
        world.run_for(15_000);
        kill_one(&mut world);
    }
    world.run_for(15_000);
    let generations: Vec<_> = world.rows.values().map(|row| row.id.generation.0).collect();
    assert!(generations.is_sorted(), "{generations:?}");
    let epochs: Vec<_> = world.rows.keys().map(|epoch| epoch.0).collect();
    assert_eq!(epochs, (1..=epochs.len() as u64).collect::<Vec<_>>());
}

#[test]
fn b16_words_of_an_older_epoch_are_ignored_and_those_of_a_newer_one_are_an_error() {
    let mut world = World::new();
    world.run_for(25_000);
    let (worker, task) = world.live_tasks(world.generation())[0];
    let part = |epoch| Message::Checkpointed {
        epoch: Epoch(epoch),
        task,
        bytes: 1,
        prepared: false,
    };
    world.say(1, worker, part(1));
    world.run_for(10);
    assert_eq!(world.state(), State::Running);
    assert_eq!(world.count("speaks of epoch 1, which is over"), 1);
    world.say(1, worker, part(99));
    world.run_for(1);
    assert_eq!(world.state(), State::Recovering);
}

#[test]
fn b17_old_checkpoints_go_and_what_can_be_restored_stays() {
    let mut world = World::new();
    world.run_for(201_000);
    let kept: Vec<_> = world.rows.keys().map(|epoch| epoch.0).collect();
    assert!(kept.len() <= 14 && kept.len() >= 10, "{kept:?}");
    assert_eq!(world.manifests.len(), kept.len());
    assert_eq!(kept.last(), Some(&20));
}

#[test]
fn b17_a_crash_in_the_middle_of_garbage_collection_loses_nothing() {
    let mut world = World::new();
    world.collects = false; // The controller dies before it hears of the deletion.
    world.run_for(145_000);
    let dropping = |world: &World| {
        let rows = world.rows.values();
        rows.filter(|row| row.state == RowState::Dropping).count()
    };
    assert_eq!(dropping(&world), 4);
    world.crash();
    world.collects = true;
    kill_one(&mut world);
    assert!(world.manifests.contains(&world.facts.restored.unwrap()));
    world.run_for(30_000);
    assert_eq!(dropping(&world), 0, "it is done again");
}

#[test]
fn b29_a_checkpoint_that_hangs_is_given_up_and_the_next_one_works() {
    let mut world = World::new();
    world.run_to(State::Running);
    world.knobs.hanging = true;
    world.run_for(10_500);
    world.knobs.hanging = false;
    world.run_for(62_000);
    assert_eq!(world.rows[&Epoch(1)].state, RowState::Failed);
    assert!(
        world.rows[&Epoch(1)]
            .why
            .as_ref()
            .unwrap()
            .contains("6 tasks did not")
    );
    assert_eq!(world.rows[&Epoch(2)].state, RowState::Ready);
    assert_eq!(world.moves(), ["Compiling", "Scheduling", "Running"]);
}

#[test]
fn a_full_disk_under_a_checkpoint_fails_that_checkpoint_and_not_the_job() {
    let mut world = World::new();
    world.run_to(State::Running);
    world.manifest_failure = Some("no space left on device".into());
    world.run_for(10_500);
    assert_eq!(world.rows[&Epoch(1)].state, RowState::Failed);
    world.manifest_failure = None;
    let (worker, _) = world.live_tasks(world.generation())[0];
    world.run_for(9_600);
    let task = TaskId::new(0, 0);
    let failed = Message::CheckpointFailed {
        epoch: Epoch(2),
        task,
        message: "no space left on device".into(),
    };
    world.say(0, worker, failed);
    world.run_for(20_000);
    assert_eq!(world.state(), State::Running);
    let states: Vec<_> = world.rows.values().map(|row| row.state).collect();
    assert_eq!(states.last(), Some(&RowState::Ready), "{states:?}");
}
