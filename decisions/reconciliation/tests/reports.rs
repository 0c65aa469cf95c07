//! What agents report, and what agents decide.

mod common;

use std::collections::BTreeMap;

use common::{Fleet, exited, id, node, process, spec};
use model::{Exit, Failure, InstanceId, InstanceState, ProcessIdentity, Revision};
use reconciliation::node::{
    Ending, KillReason, LocalPhase, LocalProcess, NodeAction, NodeState, diff,
};
use reconciliation::{Command, Ignored, Observation, Report, assignments, observe};

fn fleet() -> Fleet {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    fleet.step();
    fleet
}

fn state(fleet: &Fleet) -> InstanceState {
    fleet.snapshot.instances[&id("echo.0.1")].state
}

// ---- the control plane's half ----

#[test]
fn an_instance_goes_from_scheduled_over_starting_to_healthy_and_keeps_its_process() {
    let mut fleet = fleet();
    assert_eq!(state(&fleet), InstanceState::Scheduled);
    fleet.start(&id("echo.0.1"));
    assert_eq!(state(&fleet), InstanceState::Starting);
    let changes = fleet.report(&id("echo.0.1"), Observation::Ready).unwrap();
    assert_eq!(state(&fleet), InstanceState::Healthy);
    let event = changes[0].event.as_ref().unwrap();
    assert_eq!(event.to_string(), "echo.0.1 healthy: ready");
    assert!(fleet.snapshot.instances[&id("echo.0.1")].process.is_some());
}

#[test]
fn a_repeated_report_changes_nothing() {
    let mut fleet = fleet();
    let started = Observation::Started {
        process: process(9),
    };
    for observation in [started, Observation::Ready, Observation::Failed(exited(1))] {
        assert!(
            !fleet
                .report(&id("echo.0.1"), observation.clone())
                .unwrap()
                .is_empty()
        );
        assert_eq!(fleet.report(&id("echo.0.1"), observation), Ok(vec![]));
    }
}

#[test]
fn late_foreign_and_impossible_reports_change_nothing_and_say_why() {
    let mut fleet = fleet();
    let unready = fleet.report(&id("echo.0.1"), Observation::Ready);
    assert!(
        matches!(unready, Err(Ignored::Impossible { .. })),
        "its start is not known yet"
    );
    fleet.start(&id("echo.0.1"));
    let second = Observation::Started {
        process: process(9_999),
    };
    let refused = fleet
        .report(&id("echo.0.1"), second)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("already has another process"), "{refused}");
    let unknown = fleet.report(&id("echo.0.2"), Observation::Ready);
    assert!(matches!(unknown, Err(Ignored::Unknown { .. })));
    let stranger = Report {
        node: node("there"),
        instance: id("echo.0.1"),
        observation: Observation::Ready,
    };
    let refused = observe(&mut fleet.snapshot, &stranger, fleet.now);
    assert!(matches!(refused, Err(Ignored::WrongNode { .. })));
    fleet.fail(&id("echo.0.1"), exited(1));
    let late = fleet.report(&id("echo.0.1"), Observation::Ready);
    assert!(matches!(late, Err(Ignored::Terminal { .. })));
}

#[test]
fn a_report_of_a_forgotten_generation_is_stale() {
    let mut fleet = fleet();
    fleet.fail(&id("echo.0.1"), exited(1));
    fleet.settle().scale("echo", 0);
    fleet.settle();
    let newest = 2;
    let instance = id("echo.0.1");
    let late = fleet.report(&instance, Observation::Ready);
    assert_eq!(late, Err(Ignored::Stale { instance, newest }));
}

/// Found by simulation: the report of `Ready` was lost, then the process hung.
#[test]
fn an_instance_that_falls_ill_before_its_readiness_was_heard_is_still_found_ill() {
    let mut fleet = fleet();
    fleet.start(&id("echo.0.1"));
    let why = "no answer".to_owned();
    fleet
        .report(&id("echo.0.1"), Observation::Unhealthy { why })
        .unwrap();
    assert_eq!(state(&fleet), InstanceState::Unhealthy);
}

#[test]
fn what_dies_while_it_is_being_stopped_was_stopped() {
    let mut fleet = fleet();
    fleet.start(&id("echo.0.1"));
    let instance = id("echo.0.1");
    fleet.command(Command::StopInstance { instance }).unwrap();
    fleet.fail(&id("echo.0.1"), exited(143));
    assert_eq!(state(&fleet), InstanceState::Stopped);
}

#[test]
fn what_ends_without_being_asked_has_failed_however_its_agent_puts_it() {
    let mut fleet = fleet();
    fleet.start(&id("echo.0.1"));
    let exit = Some(Exit::Code(0));
    fleet
        .report(&id("echo.0.1"), Observation::Stopped { exit })
        .unwrap();
    assert_eq!(state(&fleet), InstanceState::Failed);
}

// ---- the agent's half ----

/// A local table with one process.
fn local(id: &str, identity: Option<ProcessIdentity>, phase: LocalPhase) -> NodeState {
    NodeState {
        processes: BTreeMap::from([(self::id(id), LocalProcess { identity, phase })]),
        ..nothing()
    }
}

fn nothing() -> NodeState {
    NodeState {
        node: node(common::NODE),
        applied: Revision(0),
        processes: BTreeMap::new(),
    }
}

fn decide(fleet: &Fleet, local: &NodeState) -> Vec<NodeAction> {
    diff(&assignments(&fleet.snapshot, &node(common::NODE)), local)
}

fn report(instance: &str, observation: Observation) -> NodeAction {
    NodeAction::Report(Report {
        node: node(common::NODE),
        instance: id(instance),
        observation,
    })
}

fn spawned(actions: &[NodeAction]) -> Vec<InstanceId> {
    let spawned = actions.iter().filter_map(|action| match action {
        NodeAction::Spawn(assignment) => Some(assignment.instance.id.clone()),
        _ => None,
    });
    spawned.collect()
}

#[test]
fn what_is_assigned_and_was_never_started_is_started() {
    assert_eq!(spawned(&decide(&fleet(), &nothing())), [id("echo.0.1")]);
    let spawning = local("echo.0.1", None, LocalPhase::Spawning);
    assert_eq!(decide(&fleet(), &spawning), [], "once");
}

#[test]
fn orders_that_are_older_than_those_acted_on_are_not_acted_on() {
    let late = NodeState {
        applied: Revision(1_000),
        ..nothing()
    };
    assert_eq!(decide(&fleet(), &late), []);
}

#[test]
fn an_agent_that_comes_back_adopts_the_process_that_is_the_one_it_is_known_as() {
    let mut fleet = fleet();
    fleet.start(&id("echo.0.1"));
    let known = fleet.snapshot.instances[&id("echo.0.1")].process.clone();
    let actions = decide(&fleet, &local("echo.0.1", known.clone(), LocalPhase::Found));
    let [NodeAction::Adopt { process, .. }] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert_eq!(Some(process), known.as_ref());
}

#[test]
fn a_process_with_the_right_pid_and_another_start_time_is_not_adopted() {
    let mut fleet = fleet();
    fleet.start(&id("echo.0.1"));
    let mut other = fleet.snapshot.instances[&id("echo.0.1")].process.clone();
    if let Some(process) = &mut other {
        process.start_ticks += 1;
    }
    let (instance, why) = (id("echo.0.1"), KillReason::NotTheSame);
    let actions = decide(&fleet, &local("echo.0.1", other, LocalPhase::Found));
    assert_eq!(actions, [NodeAction::Kill { instance, why }]);
}

#[test]
fn an_instance_that_once_ran_is_never_started_a_second_time() {
    let mut fleet = fleet();
    fleet.start(&id("echo.0.1"));
    let (exit, last_lines) = (Exit::Unknown, vec![]);
    let gone = Observation::Failed(Failure::Exited { exit, last_lines });
    assert_eq!(decide(&fleet, &nothing()), [report("echo.0.1", gone)]);
    let ended = LocalPhase::Ended(Ending::Failed(exited(3)));
    let told = report("echo.0.1", Observation::Failed(exited(3)));
    assert_eq!(
        decide(&fleet, &local("echo.0.1", Some(process(1)), ended)),
        [told]
    );
}

#[test]
fn a_newer_generation_is_not_started_before_the_older_one_is_gone() {
    let mut fleet = fleet();
    fleet.fail(&id("echo.0.1"), exited(1));
    fleet.step();
    let actions = decide(
        &fleet,
        &local("echo.0.1", Some(process(1)), LocalPhase::Healthy),
    );
    let (instance, why) = (id("echo.0.1"), KillReason::NotAssigned);
    assert_eq!(actions, [NodeAction::Kill { instance, why }]);
    let stopping = local("echo.0.1", Some(process(1)), LocalPhase::Stopping);
    assert_eq!(decide(&fleet, &stopping), []);
    let ended = LocalPhase::Ended(Ending::Stopped(None));
    let actions = decide(&fleet, &local("echo.0.1", Some(process(1)), ended));
    assert_eq!(spawned(&actions), [id("echo.0.2")]);
}

#[test]
fn a_report_is_repeated_until_the_control_plane_has_understood_it() {
    let mut fleet = fleet();
    let healthy = local("echo.0.1", Some(process(1)), LocalPhase::Healthy);
    let started = Observation::Started {
        process: process(1),
    };
    let both = [
        report("echo.0.1", started),
        report("echo.0.1", Observation::Ready),
    ];
    assert_eq!(decide(&fleet, &healthy), both);
    for action in both {
        if let NodeAction::Report(report) = action {
            observe(&mut fleet.snapshot, &report, fleet.now).unwrap();
        }
    }
    assert_eq!(decide(&fleet, &healthy), []);
}

#[test]
fn a_stop_is_reported_when_nothing_is_left_and_then_forgotten() {
    let mut fleet = fleet();
    fleet.start(&id("echo.0.1"));
    let instance = id("echo.0.1");
    fleet.command(Command::StopInstance { instance }).unwrap();
    let known = fleet.snapshot.instances[&id("echo.0.1")].process.clone();
    let running = local("echo.0.1", known.clone(), LocalPhase::Healthy);
    let (instance, grace_period_ms) = (id("echo.0.1"), Some(3_000));
    assert_eq!(
        decide(&fleet, &running),
        [NodeAction::Stop {
            instance,
            grace_period_ms
        }]
    );
    let exit = Some(Exit::Signal(15));
    let ended = local("echo.0.1", known, LocalPhase::Ended(Ending::Stopped(exit)));
    assert_eq!(
        decide(&fleet, &ended),
        [report("echo.0.1", Observation::Stopped { exit })]
    );
    fleet
        .report(&id("echo.0.1"), Observation::Stopped { exit })
        .unwrap();
    let instance = id("echo.0.1");
    assert_eq!(decide(&fleet, &ended), [NodeAction::Forget { instance }]);
}

#[test]
fn stopping_what_was_never_started_invents_no_exit_status() {
    let mut fleet = fleet();
    let instance = id("echo.0.1");
    fleet.command(Command::StopInstance { instance }).unwrap();
    let never = report("echo.0.1", Observation::Stopped { exit: None });
    assert_eq!(decide(&fleet, &nothing()), [never]);
}
