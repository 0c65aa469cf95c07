//! A newer version beside the old one: surge first, then slot by slot, and the same way back.

mod common;

use std::collections::BTreeMap;

use common::{Fleet, changed, exited, name, said, spec};
use model::{InstanceState, Revision};
use reconciliation::{Change, Command, CommandError, RollStep};

fn begin(fleet: &Fleet, from: u32, surge: u32) -> RollStep {
    RollStep::Begin {
        artifact: spec("echo", 1).artifact,
        env: BTreeMap::from([("VERSION".to_owned(), "2".to_owned())]),
        from,
        surge,
        onto: fleet.snapshot.specs[&name("echo")].revision,
    }
}

fn roll_as(
    fleet: &mut Fleet,
    (by, fence): (&str, u64),
    step: RollStep,
) -> Result<Vec<Change>, CommandError> {
    fleet.command(Command::Roll {
        service: name("echo"),
        by: by.to_owned(),
        fence,
        step,
    })
}

fn roll(fleet: &mut Fleet, step: RollStep) -> Result<Vec<Change>, CommandError> {
    roll_as(fleet, ("r-1", 10), step)
}

/// Begins, or moves what has begun.
fn run(fleet: &mut Fleet, from: u32, surge: u32) {
    let step = match fleet.snapshot.specs[&name("echo")].next {
        None => begin(fleet, from, surge),
        Some(_) => RollStep::Move { from, surge },
    };
    roll(fleet, step).unwrap();
}

fn overtaken(result: Result<Vec<Change>, CommandError>) -> String {
    match result.unwrap_err() {
        CommandError::Overtaken { why, .. } => why,
        other => panic!("{other}"),
    }
}

/// Slots with a healthy instance, and whether it is of the newer version.
fn healthy(fleet: &Fleet, old: Revision) -> Vec<(u32, bool)> {
    let all = fleet.snapshot.instances.values();
    let healthy = all.filter(|i| i.state == InstanceState::Healthy);
    healthy
        .map(|i| (i.id.slot.index, i.spec_revision != old))
        .collect()
}

/// Ideal steps until nothing happens; there are never fewer than `least` healthy.
fn settle_with(fleet: &mut Fleet, old: Revision, least: usize) {
    for _ in 0..1_000 {
        let happened = fleet.ideal_step();
        let healthy = healthy(fleet, old).len();
        assert!(healthy >= least, "only {healthy} healthy");
        if !happened {
            return;
        }
    }
    panic!("it does not settle");
}

fn echo(replicas: u32) -> (Fleet, Revision) {
    let mut fleet = Fleet::with([spec("echo", replicas)]);
    fleet.settle();
    let old = fleet.snapshot.specs[&name("echo")].revision;
    (fleet, old)
}

#[test]
fn a_version_goes_up_without_a_moment_of_less_than_was_wished_for() {
    let (mut fleet, old) = echo(5);
    for from in [5, 3, 0] {
        run(&mut fleet, from, 1);
        settle_with(&mut fleet, old, 5);
        let expected: Vec<(u32, bool)> = (0..6).map(|index| (index, index >= from)).collect();
        assert_eq!(healthy(&fleet, old), expected);
    }
    roll(&mut fleet, RollStep::Promote).unwrap();
    settle_with(&mut fleet, old, 5);
    assert_eq!(
        healthy(&fleet, old),
        (0..5).map(|i| (i, true)).collect::<Vec<_>>()
    );
    let echo = &fleet.snapshot.specs[&name("echo")];
    assert_eq!(echo.next, None);
    assert_eq!(echo.env["VERSION"], "2");
}

#[test]
fn a_version_goes_back_the_same_way() {
    let (mut fleet, old) = echo(5);
    run(&mut fleet, 2, 1);
    settle_with(&mut fleet, old, 5);
    run(&mut fleet, u32::MAX, 1);
    settle_with(&mut fleet, old, 5);
    assert!(healthy(&fleet, old).iter().all(|(_, newer)| !newer));
    roll(&mut fleet, RollStep::Withdraw).unwrap();
    settle_with(&mut fleet, old, 5);
    assert_eq!(
        healthy(&fleet, old),
        (0..5).map(|i| (i, false)).collect::<Vec<_>>()
    );
}

#[test]
fn a_version_that_dies_costs_no_slot_that_was_wished_for() {
    let (mut fleet, old) = echo(3);
    run(&mut fleet, 3, 1);
    fleet.step();
    fleet.fail(&common::id("echo.3.1"), exited(1));
    // Even when it is asked to go further, what is sick is waited for.
    run(&mut fleet, 0, 1);
    fleet.step();
    assert_eq!(healthy(&fleet, old).len(), 3);
    roll(&mut fleet, RollStep::Withdraw).unwrap();
    settle_with(&mut fleet, old, 3);
    assert_eq!(
        healthy(&fleet, old),
        (0..3).map(|i| (i, false)).collect::<Vec<_>>()
    );
}

#[test]
fn a_step_that_is_made_twice_changes_nothing() {
    let (mut fleet, _) = echo(3);
    let steps = [
        begin(&fleet, 3, 1),
        RollStep::Move { from: 0, surge: 1 },
        RollStep::Promote,
    ];
    for step in steps {
        assert!(!roll(&mut fleet, step.clone()).unwrap().is_empty());
        assert!(roll(&mut fleet, step).unwrap().is_empty());
    }
    assert!(roll(&mut fleet, RollStep::Withdraw).unwrap().is_empty());
}

#[test]
fn a_first_step_that_comes_late_changes_nothing() {
    let (mut fleet, _) = echo(3);
    let first = begin(&fleet, 3, 1);
    roll(&mut fleet, first.clone()).unwrap();
    roll(&mut fleet, RollStep::Move { from: 1, surge: 1 }).unwrap();
    assert!(roll(&mut fleet, first.clone()).unwrap().is_empty());
    roll(&mut fleet, RollStep::Withdraw).unwrap();
    assert!(overtaken(roll(&mut fleet, first.clone())).contains("it is over"));
    let moved = roll(&mut fleet, RollStep::Move { from: 0, surge: 1 });
    assert!(overtaken(moved).contains("not on its way"));
    // Nor does one of a release that was there before the last one.
    assert!(overtaken(roll_as(&mut fleet, ("r-0", 9), first)).contains("a later one"));
    assert_eq!(fleet.snapshot.specs[&name("echo")].next, None);
    let next = begin(&fleet, 3, 1);
    roll_as(&mut fleet, ("r-2", 11), next).unwrap();
}

#[test]
fn one_that_never_began_cannot_begin_once_it_was_withdrawn() {
    let (mut fleet, _) = echo(3);
    roll(&mut fleet, RollStep::Withdraw).unwrap();
    let first = begin(&fleet, 3, 1);
    assert!(overtaken(roll(&mut fleet, first)).contains("it is over"));
    // What an operator applies does not make it forgotten.
    fleet.apply(changed(spec("echo", 3)));
    let first = begin(&fleet, 3, 1);
    assert!(overtaken(roll(&mut fleet, first)).contains("it is over"));
}

#[test]
fn whoever_applies_another_spec_is_not_overrun_by_what_comes_late() {
    let (mut fleet, _) = echo(3);
    let first = begin(&fleet, 3, 1);
    fleet.apply(changed(spec("echo", 3)));
    assert!(overtaken(roll(&mut fleet, first)).contains("revision"));
    run(&mut fleet, 3, 1);
    fleet.apply(spec("echo", 3));
    let again = begin(&fleet, 3, 1);
    assert!(overtaken(roll(&mut fleet, again)).contains("it is over"));
}

#[test]
fn what_does_not_run_everywhere_is_not_promoted() {
    let (mut fleet, _) = echo(3);
    run(&mut fleet, 1, 1);
    let late = roll(&mut fleet, RollStep::Promote);
    assert!(overtaken(late).contains("only slots from 1 on"));
}

#[test]
fn as_many_slots_go_at_a_time_as_there_are_healthy_ones_beyond_the_wish() {
    let (mut fleet, old) = echo(6);
    run(&mut fleet, 6, 3);
    settle_with(&mut fleet, old, 6);
    run(&mut fleet, 1, 3);
    let three = ["stop echo.1.1", "stop echo.2.1", "stop echo.3.1"];
    assert_eq!(said(&fleet.step()), three);
    // One that does not come back is one fewer at a time, and holds nothing up.
    fleet.ideal_step();
    fleet.ideal_step();
    let stops = said(&fleet.plan());
    assert_eq!(stops, ["stop echo.4.1", "stop echo.5.1"]);
    settle_with(&mut fleet, old, 6);
    // And back.
    run(&mut fleet, 6, 3);
    settle_with(&mut fleet, old, 6);
    let expected: Vec<(u32, bool)> = (0..9).map(|index| (index, index >= 6)).collect();
    assert_eq!(healthy(&fleet, old), expected);
    let generations =
        |from| (from..9).map(|i| fleet.snapshot.slots[&common::slot("echo", i)].clone());
    let beyond: Vec<u64> = generations(6).map(|record| record.generation.0).collect();
    assert_eq!(beyond, [1, 1, 1], "what is beyond was left alone");
}

#[test]
fn whoever_scales_keeps_the_share_of_the_newer_version() {
    let cases = [
        // replicas, from, then, and from where on.
        (10, 7, 20, 14),
        (10, 7, 5, 4),
        (10, 7, 0, 0),
        (10, 10, 4, 4),
        (4, 5, 10, 11),
        (10, 0, 20, 0),
        (10, u32::MAX, 4, u32::MAX),
        (0, 0, 3, 3),
    ];
    for (before, from, after, expected) in cases {
        let (mut fleet, _) = echo(before);
        run(&mut fleet, from, 2);
        fleet.scale("echo", after);
        let is = fleet.snapshot.specs[&name("echo")].next.clone().unwrap();
        assert_eq!(is.from, expected, "{before} {from} {after}");
        // The same for whoever applies a spec with another number.
        let (mut fleet, _) = echo(before);
        run(&mut fleet, from, 2);
        fleet.apply(spec("echo", after));
        let is = fleet.snapshot.specs[&name("echo")].next.clone().unwrap();
        assert_eq!(is.from, expected, "{before} {from} {after}");
    }
}

#[test]
fn nobody_goes_on_with_what_somebody_else_rolls_out() {
    let (mut fleet, _) = echo(3);
    run(&mut fleet, 3, 1);
    let step = begin(&fleet, 3, 1);
    let steps = [
        step,
        RollStep::Move { from: 0, surge: 1 },
        RollStep::Promote,
        RollStep::Withdraw,
    ];
    for step in steps {
        // Another one, and one of the same name from another time.
        for other in [("r-2", 11), ("r-1", 9)] {
            let refused = roll_as(&mut fleet, other, step.clone()).unwrap_err();
            assert!(matches!(&refused, CommandError::RolledByOther { by, .. } if by == "r-1"));
        }
    }
}

#[test]
fn an_operator_who_wishes_for_something_else_ends_it_and_one_who_scales_does_not() {
    let (mut fleet, old) = echo(3);
    run(&mut fleet, 2, 1);
    settle_with(&mut fleet, old, 3);
    fleet.scale("echo", 4);
    settle_with(&mut fleet, old, 3);
    let newer = [(0, false), (1, false), (2, false), (3, true), (4, true)];
    assert_eq!(healthy(&fleet, old), newer);
    let mut other = changed(spec("echo", 4));
    other.env.insert("VERSION".to_owned(), "3".to_owned());
    fleet.apply(other);
    fleet.settle();
    assert_eq!(fleet.snapshot.specs[&name("echo")].next, None);
    assert_eq!(healthy(&fleet, old).len(), 4);
}

#[test]
fn while_it_is_on_its_way_each_slot_is_started_again_with_its_own_version() {
    let (mut fleet, _) = echo(2);
    run(&mut fleet, 1, 0);
    fleet.settle();
    let echo = fleet.snapshot.specs[&name("echo")].clone();
    assert_eq!(echo.at(0).env.get("VERSION"), None);
    assert_eq!(echo.at(1).env["VERSION"], "2");
    let (older, newer) = (echo.revision_at(0), echo.revision_at(1));
    assert!(newer > older);
    for instance in ["echo.0.1", "echo.1.2"] {
        fleet.fail(&common::id(instance), exited(1));
    }
    fleet.after_ms(60_000).settle();
    let revisions = fleet
        .snapshot
        .instances
        .values()
        .filter(|i| !i.state.is_terminal());
    let revisions: Vec<Revision> = revisions.map(|i| i.spec_revision).collect();
    assert_eq!(revisions, [older, newer]);
}
