//! The rules of planning, one by one. Read top to bottom, this is the specification.

mod common;

use common::{Fleet, changed, creations, exited, id, name, node, said, slot, spec, waits};
use model::{Exit, Failure, InstanceState, NodeStatus, RestartPolicy, Timestamp};
use reconciliation::{
    Command, CommandError, Observation, RECORDS_KEPT, StalePlan, WaitReason, backoff_ms, execute,
};

// ---- replicas ----

#[test]
fn each_wanted_slot_gets_one_instance_and_then_nothing_more_is_planned() {
    let mut fleet = Fleet::with([spec("echo", 3)]);
    let plan = fleet.step();
    assert_eq!(
        said(&plan),
        ["create echo.0.1", "create echo.1.1", "create echo.2.1"]
    );
    assert!(
        fleet.plan().actions.is_empty(),
        "what is on its way is not planned again"
    );
    fleet.settle();
    assert!(fleet.plan().actions.is_empty() && fleet.plan().waiting.is_empty());
}

#[test]
fn scaling_down_stops_the_highest_indices_and_scaling_up_goes_on_counting() {
    let mut fleet = Fleet::with([spec("echo", 4)]);
    fleet.settle().scale("echo", 2);
    assert_eq!(said(&fleet.plan()), ["stop echo.3.1", "stop echo.2.1"]);
    fleet.settle().scale("echo", 3);
    assert_eq!(
        said(&fleet.plan()),
        ["create echo.2.2"],
        "echo.2.1 was used before"
    );
}

#[test]
fn a_slot_that_is_still_stopping_is_not_filled() {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    fleet.settle();
    let instance = id("echo.0.1");
    fleet.command(Command::StopInstance { instance }).unwrap();
    let plan = fleet.plan();
    assert!(plan.actions.is_empty());
    let instance = id("echo.0.1");
    assert_eq!(waits(&plan), [&WaitReason::Stopping { instance }]);
    fleet
        .report(&id("echo.0.1"), Observation::Stopped { exit: None })
        .unwrap();
    assert_eq!(
        said(&fleet.plan()),
        ["create echo.0.2"],
        "stopped is not scaled down"
    );
}

#[test]
fn a_deleted_service_is_stopped_then_forgotten_but_its_generations_are_not() {
    let mut fleet = Fleet::with([spec("echo", 2)]);
    fleet.settle();
    let service = name("echo");
    fleet.command(Command::DeleteService { service }).unwrap();
    assert_eq!(said(&fleet.plan()), ["stop echo.1.1", "stop echo.0.1"]);
    fleet.settle();
    assert!(fleet.snapshot.instances.is_empty());
    fleet.apply(spec("echo", 1));
    assert_eq!(said(&fleet.plan()), ["create echo.0.2"]);
}

#[test]
fn only_the_last_few_ended_instances_of_a_slot_are_remembered() {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    for number in 1..8 {
        fleet.settle();
        let instance = id(&format!("echo.0.{number}"));
        fleet.command(Command::StopInstance { instance }).unwrap();
    }
    fleet.settle();
    assert_eq!(fleet.snapshot.instances.len(), RECORDS_KEPT + 1);
}

// ---- start order ----

#[test]
fn a_first_start_waits_for_one_healthy_instance_of_each_service_it_names() {
    let mut echo = spec("echo", 1);
    echo.after = vec![name("discovery")];
    let mut fleet = Fleet::with([echo, spec("discovery", 2)]);
    let plan = fleet.step();
    assert_eq!(
        said(&plan),
        ["create discovery.0.1", "create discovery.1.1"]
    );
    let (service, exists) = (name("discovery"), true);
    assert_eq!(waits(&plan), [&WaitReason::Dependency { service, exists }]);
    fleet.start(&id("discovery.0.1"));
    assert!(fleet.plan().actions.is_empty(), "started is not healthy");
    fleet
        .report(&id("discovery.0.1"), Observation::Ready)
        .unwrap();
    assert_eq!(said(&fleet.plan()), ["create echo.0.1"]);
}

#[test]
fn the_start_order_never_stops_anything_and_never_delays_a_replacement() {
    let mut echo = spec("echo", 1);
    echo.after = vec![name("discovery")];
    let mut fleet = Fleet::with([echo, spec("discovery", 1)]);
    fleet.settle();
    fleet.fail(&id("discovery.0.1"), exited(1));
    fleet.fail(&id("echo.0.1"), exited(1));
    assert_eq!(
        said(&fleet.plan()),
        ["create discovery.0.2", "create echo.0.2"]
    );
}

#[test]
fn waiting_for_a_service_that_does_not_exist_says_so() {
    let mut echo = spec("echo", 1);
    echo.after = vec![name("nobody")];
    let plan = Fleet::with([echo]).plan();
    let reason = plan.waiting[0].reason.to_string();
    assert_eq!(
        reason,
        "waits for nobody, and no service has that name: apply it first"
    );
}

#[test]
fn a_circle_of_services_that_wait_for_each_other_is_refused_and_printed() {
    let [mut a, mut b, mut c] = ["a", "b", "c"].map(|name| spec(name, 1));
    a.after = vec![name("b")];
    b.after = vec![name("c")];
    let mut fleet = Fleet::with([a, b]);
    c.after = vec![name("a")];
    let before = fleet.snapshot.clone();
    let refused = fleet.command(Command::ApplySpec(Box::new(c))).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("a after b after c after a"), "{said}");
    assert_eq!(fleet.snapshot, before, "a refused command changes nothing");
}

// ---- restarts ----

#[test]
fn the_first_restart_is_immediate_and_says_why() {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    fleet.settle();
    let exit = Exit::Signal(9);
    fleet.fail(
        &id("echo.0.1"),
        Failure::Exited {
            exit,
            last_lines: vec![],
        },
    );
    let plan = fleet.plan();
    let create = creations(&plan)[0];
    assert_eq!((create.attempt, create.not_before), (2, fleet.now));
    assert_eq!(create.why, "echo.0.1 failed: killed by signal 9");
}

#[test]
fn from_the_third_start_in_a_row_on_they_back_off_exponentially_up_to_a_limit() {
    let policy = RestartPolicy::default();
    let slot = slot("echo", 0);
    assert_eq!(backoff_ms(&policy, &slot, 1, 7), 0);
    assert_eq!(backoff_ms(&policy, &slot, 2, 7), 0);
    for (attempt, longest) in [(3, 100), (4, 200), (5, 400), (12, 30_000), (500, 30_000)] {
        let pause = backoff_ms(&policy, &slot, attempt, 7);
        assert!(
            (longest / 2..=longest).contains(&pause),
            "{attempt}: {pause}"
        );
    }
    let pauses = (0..100).map(|seed| backoff_ms(&policy, &slot, 9, seed));
    let distinct: std::collections::BTreeSet<_> = pauses.collect();
    assert!(distinct.len() > 90, "jitter spreads: {}", distinct.len());
}

#[test]
fn a_plan_says_when_the_pause_is_over_and_not_a_millisecond_earlier_is_anything_started() {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    for number in 1..=2 {
        fleet.step();
        fleet.fail(&id(&format!("echo.0.{number}")), exited(1));
    }
    let plan = fleet.plan();
    let wake_at = plan.wake_at.unwrap();
    let pause = wake_at.since_ms(fleet.now);
    assert!((50..=100).contains(&pause), "{pause}");
    assert!(plan.actions.is_empty());
    assert!(fleet.after_ms(pause - 1).plan().actions.is_empty());
    assert_eq!(said(&fleet.after_ms(1).plan()), ["create echo.0.3"]);
}

#[test]
fn a_healthy_period_starts_the_count_anew() {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    for number in 1..=20 {
        fleet.settle();
        fleet.after_ms(10_000);
        fleet.fail(&id(&format!("echo.0.{number}")), exited(1));
        let plan = fleet.plan();
        assert_eq!(creations(&plan)[0].attempt, 1);
    }
}

#[test]
fn after_attempts_max_starts_in_a_row_the_slot_is_given_up_with_the_last_lines() {
    let mut doomed = spec("doomed", 1);
    doomed.restart.attempts_max = 3;
    let mut fleet = Fleet::with([doomed]);
    for number in 1..=3 {
        fleet.after_ms(60_000).step();
        fleet.fail(&id(&format!("doomed.0.{number}")), exited(1));
    }
    let plan = fleet.after_ms(60_000).step();
    assert_eq!(said(&plan), ["give up doomed.0"]);
    let reason = &fleet.snapshot.slots[&slot("doomed", 0)]
        .given_up
        .as_ref()
        .unwrap()
        .reason;
    assert_eq!(
        reason,
        "3 starts in a row: exit code 1; last lines:\nlast words"
    );
    let plan = fleet.after_ms(100_000_000).plan();
    assert!(
        plan.actions.is_empty() && plan.wake_at.is_none(),
        "it burns no CPU"
    );
}

#[test]
fn what_cannot_help_is_not_tried_again() {
    let mut fleet = Fleet::with([spec("missing", 1)]);
    fleet.step();
    let (why, retryable) = ("no such file".to_owned(), false);
    fleet.fail(&id("missing.0.1"), Failure::NotStarted { why, retryable });
    assert_eq!(said(&fleet.plan()), ["give up missing.0"]);
}

#[test]
fn a_new_spec_a_restart_or_a_scale_up_gives_a_new_chance() {
    let instance = || id("echo.0.1");
    let service = || name("echo");
    let chances: [Vec<Command>; 4] = [
        vec![Command::ApplySpec(Box::new(changed(spec("echo", 1))))],
        vec![Command::RestartService { service: service() }],
        vec![Command::RestartInstance {
            instance: instance(),
        }],
        vec![
            Command::Scale {
                service: service(),
                replicas: 0,
            },
            Command::Scale {
                service: service(),
                replicas: 1,
            },
        ],
    ];
    for commands in chances {
        let mut fleet = Fleet::with([spec("echo", 1)]);
        fleet.step();
        let (why, retryable) = (String::new(), false);
        fleet.fail(&instance(), Failure::NotStarted { why, retryable });
        fleet.step();
        assert_eq!(said(&fleet.plan()), [""; 0]);
        for command in commands.clone() {
            fleet.command(command).unwrap();
        }
        let plan = fleet.plan();
        let attempts: Vec<_> = creations(&plan)
            .iter()
            .map(|create| create.attempt)
            .collect();
        assert_eq!(attempts, [1], "{commands:?}");
    }
}

#[test]
fn an_instance_that_stopped_answering_is_replaced_and_counts_as_failed() {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    fleet.settle();
    let why = "no answer within 500 ms".to_owned();
    fleet
        .report(&id("echo.0.1"), Observation::Unhealthy { why })
        .unwrap();
    assert_eq!(said(&fleet.step()), ["stop echo.0.1"]);
    let exit = Some(Exit::Signal(9));
    fleet
        .report(&id("echo.0.1"), Observation::Stopped { exit })
        .unwrap();
    let ended = &fleet.snapshot.instances[&id("echo.0.1")];
    assert_eq!(ended.state, InstanceState::Failed);
    assert_eq!(ended.reason, "stopped answering: no answer within 500 ms");
    assert_eq!(creations(&fleet.plan())[0].attempt, 2);
}

// ---- ports ----

#[test]
fn well_known_ports_come_first_then_the_lowest_free_ones() {
    let mut echo = spec("echo", 4);
    echo.ports.well_known = vec![10_100, 10_101];
    let mut quiet = spec("quiet", 1);
    quiet.ports.wanted = false;
    let mut fleet = Fleet::with([echo, quiet]);
    let plan = fleet.step();
    let ports: Vec<_> = creations(&plan).iter().map(|create| create.port).collect();
    assert_eq!(
        ports,
        [Some(10_100), Some(10_101), Some(12_000), Some(12_001), None]
    );
    fleet.settle().fail(&id("echo.2.1"), exited(1));
    assert_eq!(
        creations(&fleet.plan())[0].port,
        Some(12_000),
        "a freed port is used again"
    );
}

#[test]
fn a_taken_dynamic_port_is_exchanged_for_another_one_at_once() {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    fleet.step();
    let (port, owner) = (12_000, "nginx (pid 7)".to_owned());
    fleet.fail(&id("echo.0.1"), Failure::PortTaken { port, owner });
    assert_eq!(creations(&fleet.step())[0].port, Some(12_001));
}

#[test]
fn a_taken_well_known_port_is_tried_again_for_as_long_as_it_takes_and_named() {
    let mut echo = spec("echo", 1);
    echo.ports.well_known = vec![10_100];
    let mut fleet = Fleet::with([echo, spec("other", 1)]);
    for number in 1..30 {
        fleet.after_ms(30_000).step();
        let (port, owner) = (10_100, "nginx (pid 7)".to_owned());
        fleet.fail(
            &id(&format!("echo.0.{number}")),
            Failure::PortTaken { port, owner },
        );
    }
    let plan = fleet.plan();
    let said = plan.waiting[0].reason.to_string();
    assert!(
        said.contains("port 10100 is taken by nginx (pid 7)"),
        "{said}"
    );
    assert!(
        plan.wake_at
            .is_some_and(|at| at.since_ms(fleet.now) <= 30_000)
    );
    assert_eq!(fleet.live("other").len(), 1, "the rest of the fleet boots");
}

#[test]
fn two_services_that_claim_one_well_known_port_do_not_get_it_both() {
    let [mut a, mut b] = ["a", "b"].map(|name| spec(name, 1));
    a.ports.well_known = vec![10_100];
    b.ports.well_known = vec![10_100];
    let mut fleet = Fleet::with([a, b]);
    fleet.settle();
    let plan = fleet.plan();
    let (port, holder) = (10_100, id("a.0.1"));
    assert_eq!(waits(&plan), [&WaitReason::PortHeld { port, holder }]);
}

// ---- rollouts ----

#[test]
fn a_changed_spec_replaces_one_slot_at_a_time_each_when_the_others_are_healthy() {
    let mut fleet = Fleet::with([spec("echo", 3)]);
    fleet.settle().apply(changed(spec("echo", 3)));
    assert_eq!(said(&fleet.step()), ["stop echo.0.1"]);
    assert!(fleet.plan().actions.is_empty());
    fleet
        .report(&id("echo.0.1"), Observation::Stopped { exit: None })
        .unwrap();
    assert_eq!(said(&fleet.step()), ["create echo.0.2"]);
    fleet.start(&id("echo.0.2"));
    let behind = slot("echo", 0);
    assert_eq!(waits(&fleet.plan()), [&WaitReason::Rollout { behind }]);
    fleet.report(&id("echo.0.2"), Observation::Ready).unwrap();
    assert_eq!(said(&fleet.plan()), ["stop echo.1.1"]);
    fleet.settle();
    assert_eq!(
        fleet.live("echo"),
        ["echo.0.2 healthy", "echo.1.2 healthy", "echo.2.2 healthy"]
    );
}

#[test]
fn a_spec_that_does_not_work_costs_one_slot_and_the_next_spec_heals_it() {
    let mut fleet = Fleet::with([spec("echo", 3)]);
    fleet.settle().apply(changed(spec("echo", 3)));
    fleet.step();
    fleet
        .report(&id("echo.0.1"), Observation::Stopped { exit: None })
        .unwrap();
    for _ in 0..12 {
        for create in creations(&fleet.after_ms(60_000).step()) {
            fleet.fail(&create.id, exited(1));
        }
    }
    assert_eq!(fleet.live("echo"), ["echo.1.1 healthy", "echo.2.1 healthy"]);
    fleet.apply(spec("echo", 3));
    fleet.settle();
    assert_eq!(fleet.live("echo").len(), 3);
}

#[test]
fn a_change_of_replicas_start_order_or_restart_policy_restarts_nothing() {
    let mut fleet = Fleet::with([spec("echo", 2), spec("discovery", 1)]);
    fleet.settle();
    let mut other = spec("echo", 3);
    other.after = vec![name("discovery")];
    other.restart.attempts_max = 99;
    fleet.apply(other);
    assert_eq!(said(&fleet.plan()), ["create echo.2.1"]);
}

#[test]
fn restarting_a_service_replaces_its_instances_one_at_a_time() {
    let mut fleet = Fleet::with([spec("echo", 2)]);
    fleet.settle();
    let service = name("echo");
    fleet.command(Command::RestartService { service }).unwrap();
    assert_eq!(said(&fleet.plan()), ["stop echo.0.1"]);
    fleet.settle();
    assert_eq!(fleet.live("echo"), ["echo.0.2 healthy", "echo.1.2 healthy"]);
}

// ---- nodes ----

#[test]
fn nothing_is_started_on_a_node_that_is_not_ready_and_what_runs_there_is_left_alone() {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    fleet.settle().set_node(common::NODE, NodeStatus::Away);
    assert!(fleet.plan().actions.is_empty());
    fleet.fail(&id("echo.0.1"), exited(1));
    let plan = fleet.plan();
    assert!(plan.actions.is_empty());
    let reason = plan.waiting[0].reason.to_string();
    assert_eq!(reason, "node here takes no work: it is away");
}

#[test]
fn what_was_on_a_lost_node_is_lost_and_replaced_where_there_is_room() {
    let mut fleet = Fleet::new();
    fleet.snapshot.local_node = None;
    fleet.set_node("there", NodeStatus::Ready);
    fleet.apply(spec("echo", 2));
    fleet.settle().set_node("there", NodeStatus::Lost);
    assert_eq!(
        said(&fleet.step()),
        ["lose echo.1.1"],
        "one went to each node"
    );
    let plan = fleet.plan();
    assert_eq!(creations(&plan)[0].node, Some(node(common::NODE)));
}

// ---- plans ----

#[test]
fn a_plan_that_the_state_has_overtaken_is_refused() {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    let plan = fleet.plan();
    fleet.scale("echo", 2);
    let refused = execute(&mut fleet.snapshot, &plan, fleet.now).unwrap_err();
    assert_eq!(
        refused,
        StalePlan {
            planned: plan.revision,
            actual: fleet.snapshot.revision
        }
    );
}

#[test]
fn ten_thousand_instances_are_planned_in_time_that_is_not_quadratic() {
    let mut many = spec("many", 10_000);
    many.ports.wanted = false;
    let mut fleet = Fleet::with([many]);
    assert_eq!(fleet.step().actions.len(), 10_000);
    assert!(fleet.plan().actions.is_empty());
}

// ---- commands ----

#[test]
fn commands_about_what_is_not_there_are_refused_with_what_to_do() {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    fleet.settle();
    let service = name("ech");
    let refused = fleet
        .command(Command::Scale {
            service,
            replicas: 1,
        })
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no service is called ech: `orrery status` lists them"
    );
    let instance = id("echo.0.9");
    let refused = fleet
        .command(Command::StopInstance { instance })
        .unwrap_err();
    assert!(matches!(refused, CommandError::UnknownInstance { .. }));
    fleet.fail(&id("echo.0.1"), exited(1));
    fleet.settle();
    let instance = id("echo.0.1");
    let refused = fleet
        .command(Command::StopInstance { instance })
        .unwrap_err();
    let expected = "echo.0.1 has already ended (failed); its slot belongs to echo.0.2 now";
    assert_eq!(refused.to_string(), expected);
    let service = name("echo");
    let refused = fleet
        .command(Command::Scale {
            service,
            replicas: 100_001,
        })
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the spec of echo is refused: replicas: at most 100000"
    );
}

#[test]
fn applying_an_equal_spec_again_changes_nothing() {
    let mut fleet = Fleet::with([spec("echo", 1)]);
    fleet.settle();
    let before = fleet.snapshot.revision;
    assert!(fleet.apply(spec("echo", 1)).is_empty());
    assert_eq!(fleet.snapshot.revision, before);
    assert_eq!(fleet.now, Timestamp(1_000_000));
}
