//! A newer version beside the old one: surge first, then slot by slot, and the same way back.

mod common;

use std::collections::BTreeMap;

use common::{Fleet, changed, exited, name, spec};
use model::{InstanceState, Revision};
use reconciliation::{Change, Command, CommandError, RollStep};

fn run(from: u32, surge: u32) -> RollStep {
    RollStep::Run {
        artifact: spec("echo", 1).artifact,
        env: BTreeMap::from([("VERSION".to_owned(), "2".to_owned())]),
        from,
        surge,
    }
}

fn roll(fleet: &mut Fleet, by: &str, step: RollStep) -> Result<Vec<Change>, CommandError> {
    let (service, by) = (name("echo"), by.to_owned());
    fleet.command(Command::Roll { service, by, step })
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
        roll(&mut fleet, "r1", run(from, 1)).unwrap();
        settle_with(&mut fleet, old, 5);
        let expected: Vec<(u32, bool)> = (0..6).map(|index| (index, index >= from)).collect();
        assert_eq!(healthy(&fleet, old), expected);
    }
    roll(&mut fleet, "r1", RollStep::Promote).unwrap();
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
    roll(&mut fleet, "r1", run(2, 1)).unwrap();
    settle_with(&mut fleet, old, 5);
    roll(&mut fleet, "r1", run(u32::MAX, 1)).unwrap();
    settle_with(&mut fleet, old, 5);
    assert!(healthy(&fleet, old).iter().all(|(_, newer)| !newer));
    roll(&mut fleet, "r1", RollStep::Withdraw).unwrap();
    settle_with(&mut fleet, old, 5);
    assert_eq!(
        healthy(&fleet, old),
        (0..5).map(|i| (i, false)).collect::<Vec<_>>()
    );
}

#[test]
fn a_version_that_dies_costs_no_slot_that_was_wished_for() {
    let (mut fleet, old) = echo(3);
    roll(&mut fleet, "r1", run(3, 1)).unwrap();
    fleet.step();
    fleet.fail(&common::id("echo.3.1"), exited(1));
    // Even when it is asked to go further, what is sick is waited for.
    roll(&mut fleet, "r1", run(0, 1)).unwrap();
    fleet.step();
    assert_eq!(healthy(&fleet, old).len(), 3);
    roll(&mut fleet, "r1", RollStep::Withdraw).unwrap();
    settle_with(&mut fleet, old, 3);
    assert_eq!(
        healthy(&fleet, old),
        (0..3).map(|i| (i, false)).collect::<Vec<_>>()
    );
}

#[test]
fn a_step_that_is_made_twice_changes_nothing() {
    let (mut fleet, _) = echo(3);
    for step in [run(3, 1), run(1, 1), RollStep::Promote] {
        assert!(!roll(&mut fleet, "r1", step.clone()).unwrap().is_empty());
        assert!(roll(&mut fleet, "r1", step).unwrap().is_empty());
    }
    assert!(
        roll(&mut fleet, "r1", RollStep::Withdraw)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn nobody_goes_on_with_what_somebody_else_rolls_out() {
    let (mut fleet, _) = echo(3);
    roll(&mut fleet, "r1", run(3, 1)).unwrap();
    for step in [run(0, 1), RollStep::Promote, RollStep::Withdraw] {
        let refused = roll(&mut fleet, "r2", step).unwrap_err();
        assert!(matches!(&refused, CommandError::RolledByOther { by, .. } if by == "r1"));
    }
}

#[test]
fn an_operator_who_wishes_for_something_else_ends_it_and_one_who_scales_does_not() {
    let (mut fleet, old) = echo(3);
    roll(&mut fleet, "r1", run(2, 1)).unwrap();
    settle_with(&mut fleet, old, 3);
    fleet.scale("echo", 4);
    settle_with(&mut fleet, old, 3);
    let newer = [(0, false), (1, false), (2, true), (3, true), (4, true)];
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
    roll(&mut fleet, "r1", run(1, 0)).unwrap();
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
