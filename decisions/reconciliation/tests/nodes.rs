//! What happens to nodes, and to what is on them: cordon, drain, loss, and decisions of a placer.

mod common;

use common::{Fleet, creations, id, name, node, said, spec, waits};
use model::{Duty, InstanceState, NodeStatus};
use reconciliation::{
    Action, Command, CommandError, Decision, LOST_PAUSE_MANY_MS, LOST_PAUSE_MS, Placed, Refusal,
    WaitReason, place,
};

/// A fleet on these nodes, which goes wherever there is least.
fn on(nodes: &[&str]) -> Fleet {
    let mut fleet = Fleet::new();
    fleet.snapshot.local_node = None;
    fleet
        .command(Command::SetNode {
            node: node(common::NODE),
            status: NodeStatus::Lost,
        })
        .unwrap();
    fleet
        .command(Command::RemoveNode {
            node: node(common::NODE),
        })
        .unwrap();
    for id in nodes {
        fleet.set_node(id, NodeStatus::Ready);
    }
    fleet
}

fn node_of(fleet: &Fleet, instance: &str) -> String {
    let instance = &fleet.snapshot.instances[&id(instance)];
    instance
        .node
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn healthy_on(fleet: &Fleet, on: &str) -> usize {
    let all = fleet.snapshot.instances.values();
    let here = all.filter(|i| i.node == Some(node(on)) && i.state == InstanceState::Healthy);
    here.count()
}

// ---- pins and duties ----

#[test]
fn what_names_a_node_runs_there_and_waits_for_it_when_it_is_not_there() {
    let mut fleet = on(&["n1", "n2"]);
    let mut pinned = spec("echo", 2);
    pinned.node = Some(node("n2"));
    fleet.apply(pinned);
    fleet.settle();
    assert_eq!(healthy_on(&fleet, "n2"), 2);
    let mut elsewhere = spec("web", 1);
    elsewhere.node = Some(node("n3"));
    fleet.apply(elsewhere);
    let reason = fleet.plan().waiting[0].reason.to_string();
    assert_eq!(
        reason,
        "node n3 takes no work: its agent has not connected yet"
    );
}

#[test]
fn a_cordoned_node_keeps_what_it_has_and_gets_nothing_new() {
    let mut fleet = on(&["n1", "n2"]);
    fleet.apply(spec("echo", 2));
    fleet.settle().set_duty("n1", Duty::Cordoned);
    assert!(fleet.plan().actions.is_empty());
    fleet.scale("echo", 6);
    fleet.settle();
    assert_eq!((healthy_on(&fleet, "n1"), healthy_on(&fleet, "n2")), (1, 5));
    fleet.set_duty("n1", Duty::Open);
    fleet.scale("echo", 7);
    fleet.settle();
    assert_eq!(healthy_on(&fleet, "n1"), 2);
}

#[test]
fn a_node_that_comes_back_has_the_duty_it_had() {
    let mut fleet = on(&["n1"]);
    fleet.set_duty("n1", Duty::Cordoned);
    fleet.set_node("n1", NodeStatus::Away);
    fleet.set_node("n1", NodeStatus::Ready);
    assert_eq!(fleet.snapshot.nodes[&node("n1")].as_str(), "cordoned");
}

// ---- drain ----

#[test]
fn the_only_replica_leaves_a_drained_node_after_its_stand_in_is_healthy() {
    let mut fleet = on(&["n1", "n2"]);
    fleet.apply(spec("db", 1));
    fleet.settle();
    let home = node_of(&fleet, "db.0.1");
    fleet.set_duty(&home, Duty::Draining);
    assert_eq!(said(&fleet.step()), ["create db.1.1"]);
    let plan = fleet.plan();
    assert!(plan.actions.is_empty(), "the stand-in is not healthy yet");
    let behind = common::slot("db", 1);
    let waited = WaitReason::Draining {
        node: node(&home),
        behind,
    };
    assert_eq!(waits(&plan), [&waited]);
    fleet.ready(&id("db.1.1"));
    assert_eq!(said(&fleet.step()), ["stop db.0.1"]);
    fleet.settle();
    assert_eq!(
        fleet.live("db"),
        ["db.0.2 healthy"],
        "and the stand-in is gone again"
    );
    assert_ne!(node_of(&fleet, "db.0.2"), home);
}

#[test]
fn a_drain_takes_one_replica_at_a_time_and_never_leaves_fewer_than_wished() {
    let mut fleet = on(&["n1", "n2", "n3"]);
    fleet.apply(spec("echo", 9));
    fleet.settle().set_duty("n2", Duty::Draining);
    for _ in 0..200 {
        let happened = fleet.ideal_step();
        let all = fleet.snapshot.instances_of(&name("echo"));
        let healthy = all.filter(|i| i.state == InstanceState::Healthy).count();
        assert!(healthy >= 9, "{:?}", fleet.live("echo"));
        assert!(fleet.live("echo").len() <= 10, "{:?}", fleet.live("echo"));
        if !happened {
            break;
        }
    }
    assert_eq!(fleet.live("echo").len(), 9);
    assert_eq!(healthy_on(&fleet, "n2"), 0);
}

#[test]
fn a_drain_without_another_node_moves_nothing_and_says_what_it_waits_for() {
    let mut fleet = on(&["n1"]);
    fleet.apply(spec("db", 1));
    fleet.settle().set_duty("n1", Duty::Draining);
    let plan = fleet.plan();
    assert!(plan.actions.is_empty());
    let said: Vec<String> = plan.waiting.iter().map(|w| w.reason.to_string()).collect();
    assert_eq!(
        said,
        [
            "no node takes work: start an agent",
            "node n1 is being drained; db.1 must be healthy before it goes"
        ]
    );
}

#[test]
fn what_is_pinned_to_a_drained_node_stays() {
    let mut fleet = on(&["n1", "n2"]);
    let mut pinned = spec("db", 1);
    pinned.node = Some(node("n1"));
    fleet.apply(pinned);
    fleet.settle().set_duty("n1", Duty::Draining);
    assert!(fleet.plan().actions.is_empty() && fleet.plan().waiting.is_empty());
}

// ---- loss ----

#[test]
fn a_node_that_is_away_for_too_long_is_lost_and_what_ran_there_is_started_elsewhere() {
    let mut fleet = on(&["n1", "n2", "n3"]);
    fleet.snapshot.lost_after_ms = 30_000;
    fleet.apply(spec("echo", 3));
    fleet.settle().set_node("n2", NodeStatus::Away);
    let plan = fleet.after_ms(29_999).plan();
    assert!(plan.actions.is_empty());
    assert_eq!(plan.wake_at, Some(fleet.now.plus_ms(1)));
    assert_eq!(said(&fleet.after_ms(1).step()), ["lose node n2"]);
    fleet.settle();
    assert_eq!(fleet.live("echo").len(), 3);
    assert_eq!(healthy_on(&fleet, "n2"), 0);
    let why = &fleet.snapshot.instances[&id("echo.1.1")].reason;
    assert_eq!(why, "node n2 is gone");
}

#[test]
fn a_node_that_comes_back_in_time_keeps_what_it_had() {
    let mut fleet = on(&["n1", "n2"]);
    fleet.snapshot.lost_after_ms = 30_000;
    fleet.apply(spec("echo", 2));
    fleet.settle().set_node("n2", NodeStatus::Away);
    fleet.after_ms(20_000).set_node("n2", NodeStatus::Ready);
    assert!(fleet.after_ms(60_000).plan().actions.is_empty());
}

#[test]
fn nodes_that_vanish_at_once_are_lost_one_by_one_and_slowly_when_they_are_most() {
    let mut fleet = on(&["n1", "n2", "n3", "n4", "n5"]);
    fleet.snapshot.lost_after_ms = 1_000;
    fleet.set_node("n1", NodeStatus::Away);
    fleet.set_node("n2", NodeStatus::Away);
    assert_eq!(said(&fleet.after_ms(1_000).step()), ["lose node n1"]);
    assert!(fleet.plan().actions.is_empty());
    assert_eq!(fleet.plan().wake_at, Some(fleet.now.plus_ms(LOST_PAUSE_MS)));
    fleet.set_node("n3", NodeStatus::Away);
    fleet.set_node("n4", NodeStatus::Away);
    assert_eq!(
        fleet.plan().wake_at,
        Some(fleet.now.plus_ms(LOST_PAUSE_MANY_MS))
    );
    assert_eq!(
        said(&fleet.after_ms(LOST_PAUSE_MANY_MS).step()),
        ["lose node n2"]
    );
}

#[test]
fn a_node_is_removed_when_it_can_have_nothing_any_more() {
    let mut fleet = on(&["n1", "n2"]);
    fleet.apply(spec("echo", 2));
    fleet.settle();
    let remove = Command::RemoveNode { node: node("n1") };
    let refused = fleet.command(remove.clone()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "n1 is not removed: it takes work; `orrery node drain n1` first"
    );
    fleet.set_duty("n1", Duty::Cordoned);
    let refused = fleet.command(remove.clone()).unwrap_err();
    assert!(
        matches!(refused, CommandError::NodeInUse { .. }),
        "{refused}"
    );
    fleet.set_duty("n1", Duty::Draining);
    fleet.settle();
    fleet.command(remove.clone()).unwrap();
    let unknown = fleet.command(remove).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "no node is called n1: `orrery nodes` lists them"
    );
}

// ---- a placer's decisions ----

fn with_placer(nodes: &[&str]) -> Fleet {
    let mut fleet = on(nodes);
    fleet.snapshot.placer = Some(name("placer"));
    let mut placer = spec("placer", 1);
    placer.node = Some(node("n1"));
    fleet.apply(placer);
    let leader = "first".to_owned();
    fleet.command(Command::Elect { leader }).unwrap();
    fleet.settle();
    fleet
}

/// As the one that leads.
fn taken(fleet: &mut Fleet, decisions: &[Decision]) -> Placed {
    let by = fleet.snapshot.leader.generation;
    place(&mut fleet.snapshot, by, decisions, fleet.now).unwrap()
}

fn decided(instance: &str, on: &str) -> Decision {
    Decision::On {
        instance: id(instance),
        node: node(on),
        why: "best fit".to_owned(),
    }
}

#[test]
fn while_a_placer_is_wished_for_new_instances_wait_for_its_decision() {
    let mut fleet = with_placer(&["n1", "n2"]);
    fleet.apply(spec("echo", 1));
    let plan = fleet.step();
    assert_eq!(creations(&plan)[0].node, None);
    assert_eq!(fleet.live("echo"), ["echo.0.1 pending"]);
    let said = fleet.plan().waiting[0].reason.to_string();
    assert!(said.starts_with("echo.0.1 waits for a node"), "{said}");
    let (_, verdicts) = taken(&mut fleet, &[decided("echo.0.1", "n2")]);
    assert_eq!(verdicts, [Ok(())]);
    let placed = &fleet.snapshot.instances[&id("echo.0.1")];
    assert_eq!(
        (placed.state, placed.port),
        (InstanceState::Scheduled, Some(12_000))
    );
    fleet.settle();
    assert_eq!(healthy_on(&fleet, "n2"), 1);
}

#[test]
fn without_its_placer_a_fleet_places_what_waits_itself() {
    let mut fleet = with_placer(&["n1"]);
    fleet.apply(spec("echo", 1));
    fleet.step();
    let service = name("placer");
    fleet.command(Command::DeleteService { service }).unwrap();
    let placed = fleet
        .plan()
        .actions
        .iter()
        .any(|a| matches!(a, Action::Place(_)));
    assert!(placed);
}

#[test]
fn decisions_that_no_longer_hold_are_refused_each_with_its_reason() {
    let mut fleet = with_placer(&["n1", "n2", "n3"]);
    fleet.apply(spec("echo", 2));
    fleet.step();
    fleet.set_duty("n2", Duty::Cordoned);
    let decisions = [
        decided("echo.0.1", "n2"),
        decided("echo.0.1", "n4"),
        decided("echo.1.1", "n3"),
        decided("echo.7.1", "n3"),
        decided("placer.0.1", "n3"),
    ];
    let (changes, verdicts) = taken(&mut fleet, &decisions);
    let said: Vec<String> = verdicts
        .into_iter()
        .map(|verdict| verdict.map_or_else(|refusal| refusal.to_string(), |()| "ok".to_owned()))
        .collect();
    assert_eq!(
        said,
        [
            "node n2 takes no work: it is cordoned",
            "echo.0.1 is pending and waits for no node",
            "ok",
            "no instance is called echo.7.1",
            "placer.0.1 is healthy and waits for no node",
        ]
    );
    assert_eq!(
        changes.len(),
        2,
        "the instance that was placed, and the revision"
    );
}

#[test]
fn why_there_is_no_place_is_told_and_told_once() {
    let mut fleet = with_placer(&["n1"]);
    fleet.apply(spec("echo", 1));
    fleet.step();
    let why = "it needs 8 GiB more than any node has".to_owned();
    let nowhere = [Decision::Nowhere {
        instance: id("echo.0.1"),
        why,
    }];
    let (changes, _) = taken(&mut fleet, &nowhere);
    assert_eq!(changes.len(), 2);
    let (changes, _) = taken(&mut fleet, &nowhere);
    assert!(changes.is_empty());
    let said = fleet.plan().waiting[0].reason.to_string();
    assert_eq!(
        said,
        "echo.0.1 waits for a node: it needs 8 GiB more than any node has"
    );
}

#[test]
fn ports_of_a_batch_do_not_collide() {
    let mut fleet = with_placer(&["n1", "n2"]);
    fleet.apply(spec("echo", 3));
    fleet.step();
    let decisions = ["echo.0.1", "echo.1.1", "echo.2.1"].map(|id| decided(id, "n2"));
    let (_, verdicts) = taken(&mut fleet, &decisions);
    assert_eq!(verdicts, [Ok::<(), Refusal>(()), Ok(()), Ok(())]);
    let all = fleet.snapshot.instances_of(&name("echo"));
    let ports: Vec<_> = all.filter_map(|i| i.port).collect();
    assert_eq!(ports, [12_000, 12_001, 12_002]);
}

#[test]
fn whoever_was_deposed_places_nothing_any_more() {
    let mut fleet = with_placer(&["n1"]);
    fleet.apply(spec("echo", 1));
    fleet.step();
    let elect = |leader: &str| Command::Elect {
        leader: leader.to_owned(),
    };
    fleet.command(elect("one")).unwrap();
    let one = fleet.snapshot.leader.generation;
    fleet.command(elect("two")).unwrap();
    let decisions = [decided("echo.0.1", "n1")];
    let now = fleet.now;
    let refused = place(&mut fleet.snapshot, one, &decisions, now).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "generation 2 does not decide: two leads, with generation 3"
    );
    assert_eq!(fleet.live("echo"), ["echo.0.1 pending"]);
    let (_, verdicts) = taken(&mut fleet, &decisions);
    assert_eq!(verdicts, [Ok(())]);
}

#[test]
fn what_is_there_is_given_once() {
    let mut fleet = with_placer(&["n1"]);
    let facts = model::NodeFacts {
        resources: model::Resources::default().with(model::CPU_MILLICORES, 2_000),
        ..model::NodeFacts::default()
    };
    let node = node("n1");
    let facts = Box::new(facts);
    fleet
        .command(Command::DescribeNode { node, facts })
        .unwrap();
    let mut wish = spec("echo", 3);
    wish.limits.cpu_millicores = Some(900);
    fleet.apply(wish);
    fleet.step();
    let decisions = ["echo.0.1", "echo.1.1", "echo.2.1"].map(|id| decided(id, "n1"));
    let (_, verdicts) = taken(&mut fleet, &decisions);
    let refused = verdicts[2].clone().unwrap_err();
    assert_eq!(verdicts[..2], [Ok(()), Ok(())]);
    let said = "node n1 has 200 cpu_millicores to give, and 900 are asked for";
    assert_eq!(refused.to_string(), said);
    // And when it comes again, what has been placed before counts too.
    let (_, verdicts) = taken(&mut fleet, &decisions[2..]);
    assert_eq!(verdicts[0].clone().unwrap_err().to_string(), said);
}
