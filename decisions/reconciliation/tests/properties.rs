//! What must hold for every fleet, over random ones.

mod common;

use common::{Fleet, exited, name, node, process, spec};
use model::{
    Duty, Failure, Generation, Instance, InstanceId, InstanceState, Next, Node, NodeStatus,
    Revision, ServiceSpec, Slot, Timestamp,
};
use proptest::prelude::*;
use reconciliation::{Action, Command, GivenUp, Observation, Snapshot, check, execute, plan};

const SERVICES: [&str; 4] = ["discovery", "echo", "storage", "worker"];
const NODES: [&str; 3] = ["a", "b", "here"];

fn states() -> impl Strategy<Value = InstanceState> {
    use InstanceState::*;
    prop_oneof![
        1 => Just(Pending), 2 => Just(Scheduled), 2 => Just(Starting), 6 => Just(Healthy),
        1 => Just(Unhealthy), 1 => Just(Stopping), 2 => Just(Stopped), 4 => Just(Failed),
        1 => Just(Lost),
    ]
}

fn failures() -> impl Strategy<Value = Failure> {
    let owner = || "nginx".to_owned();
    prop_oneof![
        4 => (0..3).prop_map(exited),
        1 => (12_000..12_004_u16).prop_map(move |port| Failure::PortTaken { port, owner: owner() }),
        1 => Just(Failure::PortTaken { port: 10_100, owner: "nginx".to_owned() }),
        1 => any::<bool>()
            .prop_map(|retryable| Failure::NotStarted { why: "no".into(), retryable }),
    ]
}

fn specs() -> impl Strategy<Value = Vec<ServiceSpec>> {
    let one = |index: usize| {
        let after = prop::sample::subsequence(&SERVICES[..index], 0..=index);
        let known = prop_oneof![Just(vec![]), Just(vec![10_100_u16 + index as u16 * 10])];
        let next = prop::option::of((0..6_u32, 0..4_u32, 1..9_u64));
        let known = (known, any::<bool>());
        (0..5_u32, after, known, 0..4_u64, 1..9_u32, next).prop_map(
            move |(replicas, after, (well_known, wanted), revision, attempts_max, next)| {
                let mut spec = spec(SERVICES[index], replicas);
                spec.after = after.into_iter().map(name).collect();
                spec.ports.well_known = well_known;
                spec.ports.wanted = wanted;
                spec.revision = Revision(revision);
                spec.restart.attempts_max = attempts_max;
                spec.next = next.map(|(from, surge, fence)| {
                    Box::new(Next {
                        by: "r-1".to_owned(),
                        fence,
                        artifact: spec.artifact.clone(),
                        env: spec.env.clone(),
                        from,
                        surge,
                        revision: Revision(revision + 4),
                    })
                });
                spec
            },
        )
    };
    let some = prop::collection::vec(any::<bool>(), SERVICES.len());
    (some, one(0), one(1), one(2), one(3)).prop_map(|(some, a, b, c, d)| {
        let all = [a, b, c, d].into_iter().zip(some);
        all.filter_map(|(spec, is_there)| is_there.then_some(spec))
            .collect()
    })
}

/// One slot's history: ended instances, then perhaps a live one.
fn instances() -> impl Strategy<Value = Vec<Instance>> {
    let one = (
        states(),
        failures(),
        0..NODES.len(),
        1..10_u32,
        0..40_000_u64,
        0..8_u64,
    );
    let history = prop::collection::vec(one, 0..5);
    let slot = (0..SERVICES.len(), 0..6_u32, history);
    prop::collection::vec(slot, 0..12).prop_map(|slots| {
        let mut port = 12_000;
        let mut all = Vec::new();
        for (service, index, history) in slots {
            let newest = history.len();
            for (nth, (state, failure, on, attempt, ago, revision)) in
                history.into_iter().enumerate()
            {
                let is_last = nth + 1 == newest;
                let state = if is_last || state.is_terminal() {
                    state
                } else {
                    InstanceState::Failed
                };
                port += 1;
                all.push(Instance {
                    id: InstanceId {
                        slot: Slot {
                            service: name(SERVICES[service]),
                            index,
                        },
                        generation: Generation(nth as u64 + 1),
                    },
                    spec_revision: Revision(revision),
                    state,
                    node: (state != InstanceState::Pending).then(|| node(NODES[on])),
                    port: (state != InstanceState::Pending).then_some(port),
                    process: None,
                    attempt,
                    not_before: Timestamp(0),
                    since: Timestamp(1_000_000 - ago),
                    healthy_since: (attempt % 3 == 0).then(|| Timestamp(1_000_000 - ago - 9_999)),
                    reason: "because".to_owned(),
                    failure: (state == InstanceState::Failed).then_some(failure),
                });
            }
        }
        all
    })
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let duty = prop_oneof![
        4 => Just(Duty::Open), 1 => Just(Duty::Cordoned), 2 => Just(Duty::Draining),
    ];
    let status = prop_oneof![
        4 => Just(NodeStatus::Ready), 1 => Just(NodeStatus::Away), 1 => Just(NodeStatus::Lost),
    ];
    prop::collection::vec((status, duty), 0..=NODES.len()).prop_map(|statuses| {
        let named = NODES.iter().rev().zip(statuses);
        named
            .map(|(id, (status, duty))| Node {
                duty,
                ..Node::new(node(id), status, Timestamp(0))
            })
            .collect()
    })
}

prop_compose! {
    fn snapshots()(
        specs in specs(), instances in instances(), nodes in nodes(),
        pinned in any::<bool>(), seed in any::<u64>(), given_up in 0..8_u32,
    ) -> Snapshot {
        let mut snapshot = Snapshot::new(pinned.then(|| node("here")), seed);
        snapshot.revision = Revision(10);
        snapshot.specs = specs.into_iter().map(|s| (s.name.clone(), s)).collect();
        snapshot.nodes = nodes.into_iter().map(|n| (n.id.clone(), n)).collect();
        for instance in instances {
            let id = instance.id.clone();
            let record = snapshot.slots.entry(id.slot.clone()).or_default();
            record.generation = record.generation.max(id.generation);
            if id.slot.index == given_up && instance.state == InstanceState::Failed {
                record.given_up = Some(GivenUp { at: Timestamp(1), reason: "no".to_owned() });
            }
            snapshot.instances.insert(id, instance);
        }
        let slots: std::collections::BTreeSet<_> =
            snapshot.instances.keys().map(|id| &id.slot).collect();
        for slot in slots {
            let live = snapshot.owner(slot).is_some();
            if live && let Some(record) = snapshot.slots.get_mut(slot) { record.given_up = None; }
        }
        snapshot
    }
}

fn fleet(snapshot: Snapshot) -> Fleet {
    let mut fleet = Fleet::new();
    fleet.snapshot = snapshot;
    fleet
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_plan_passes_the_independent_checker(snapshot in snapshots()) {
        let now = Timestamp(1_000_000);
        let plan = plan(&snapshot, now);
        prop_assert_eq!(check(&snapshot, &plan, now), Ok(()), "{:#?}", plan);
    }

    #[test]
    fn the_same_state_gives_the_same_plan(snapshot in snapshots()) {
        let now = Timestamp(1_000_000);
        prop_assert_eq!(plan(&snapshot, now), plan(&snapshot.clone(), now));
    }

    #[test]
    fn replaying_the_writes_of_a_plan_gives_the_state_it_led_to(snapshot in snapshots()) {
        let now = Timestamp(1_000_000);
        let mut replayed = snapshot.clone();
        let mut lived = snapshot;
        let plan = plan(&lived, now);
        for change in execute(&mut lived, &plan, now).unwrap() {
            replayed.apply(change.write.unwrap());
        }
        prop_assert_eq!(replayed, lived);
    }

    #[test]
    fn a_slot_has_one_owner_a_generation_one_use_and_a_port_one_holder(snapshot in snapshots()) {
        let before = snapshot.clone();
        let mut fleet = fleet(snapshot);
        for _ in 0..12 {
            fleet.ideal_step();
            check_owners(&fleet.snapshot)?;
            for (slot, record) in &before.slots {
                let now = fleet.snapshot.slots[slot].generation;
                prop_assert!(now >= record.generation, "{} went back", slot);
            }
        }
    }

    #[test]
    fn in_a_perfect_world_every_fleet_converges_and_then_stays_as_it_is(snapshot in snapshots()) {
        let mut fleet = fleet(snapshot);
        for id in NODES {
            fleet.set_node(id, NodeStatus::Ready);
            fleet.set_duty(id, Duty::Open);
        }
        let specs: Vec<_> = fleet.snapshot.specs.values().cloned().collect();
        let wanted = specs.iter().filter(|s| s.replicas > 0);
        let there: Vec<_> = wanted.map(|s| s.name.clone()).collect();
        for mut spec in specs {
            spec.after.retain(|name| there.contains(name));
            let service = spec.name.clone();
            fleet.apply(spec);
            fleet.command(Command::RestartService { service }).unwrap();
        }
        for _ in 0..100 {
            fleet.after_ms(31_000);
            if !fleet.ideal_step() {
                break;
            }
        }
        let plan = fleet.plan();
        prop_assert_eq!(&plan.actions, &Vec::<Action>::new());
        for spec in fleet.snapshot.specs.values() {
            let all = fleet.snapshot.instances_of(&spec.name);
            let healthy = all.filter(|i| i.state == InstanceState::Healthy);
            prop_assert_eq!(healthy.count(), spec.slots() as usize, "{:#?}", plan.waiting);
        }
    }

    /// P6: whatever the moments at which it is planned, and however often the control plane is
    /// restarted in between (it has no memory but the snapshot), a slot that always dies is
    /// started `attempts_max` times, and then no more.
    #[test]
    fn what_always_dies_is_started_as_often_as_allowed_and_then_given_up(
        attempts_max in 1..8_u32, steps in prop::collection::vec(1..40_000_u64, 40..60),
    ) {
        let mut doomed = spec("doomed", 1);
        doomed.restart.attempts_max = attempts_max;
        let mut fleet = Fleet::with([doomed]);
        for ms in steps {
            fleet.after_ms(ms);
            for create in common::creations(&fleet.step()) {
                fleet.start(&create.id);
                fleet.fail(&create.id, exited(1));
            }
        }
        let record = &fleet.snapshot.slots[&common::slot("doomed", 0)];
        prop_assert!(record.generation.0 <= u64::from(attempts_max));
        fleet.after_ms(10_000_000).step();
        let plan = fleet.after_ms(10_000_000).plan();
        prop_assert!(plan.actions.is_empty() || attempts_max > 6, "{:?}", plan);
    }

    /// Late, repeated and impossible reports never bring an ended instance back, and never give an
    /// instance a second process.
    #[test]
    fn terminal_is_final_whatever_is_reported(
        snapshot in snapshots(), reports in prop::collection::vec((0..40_usize, 0..7_u8), 1..60),
    ) {
        let mut fleet = fleet(snapshot);
        for (which, what) in reports {
            let ids: Vec<_> = fleet.snapshot.instances.keys().cloned().collect();
            if ids.is_empty() { break; }
            let id = &ids[which % ids.len()];
            let before = fleet.snapshot.instances[id].clone();
            let observation = match what {
                0 => Observation::Started { process: process(1) },
                1 => Observation::Started { process: process(2) },
                2 => Observation::Ready,
                3 => Observation::Unhealthy { why: "slow".into() },
                4 => Observation::Failed(exited(3)),
                5 => Observation::Stopped { exit: None },
                _ => Observation::Healthy,
            };
            let first = fleet.report(id, observation.clone());
            let after = fleet.snapshot.instances[id].clone();
            prop_assert!(!before.state.is_terminal() || before == after);
            prop_assert!(before.process.is_none() || before.process == after.process);
            if first.is_ok() && !after.state.is_terminal() {
                let again = fleet.report(id, observation);
                prop_assert_eq!(again, Ok(vec![]), "a repetition changes nothing");
            }
        }
    }
}

fn check_owners(snapshot: &Snapshot) -> Result<(), TestCaseError> {
    let mut slots = std::collections::BTreeSet::new();
    let mut ports = std::collections::BTreeSet::new();
    for instance in snapshot
        .instances
        .values()
        .filter(|i| !i.state.is_terminal())
    {
        prop_assert!(
            slots.insert(&instance.id.slot),
            "two owners: {}",
            instance.id
        );
        if let (Some(node), Some(port)) = (&instance.node, instance.port) {
            prop_assert!(ports.insert((node, port)), "port {} twice", port);
        }
    }
    Ok(())
}

/// What an outside scheduler would do.
#[test]
fn deleting_every_service_leaves_nothing_but_the_generations() {
    let mut fleet = Fleet::with([spec("a", 3), spec("b", 2)]);
    fleet.settle();
    for service in ["a", "b"] {
        fleet
            .command(Command::DeleteService {
                service: name(service),
            })
            .unwrap();
    }
    fleet.settle();
    assert!(fleet.snapshot.instances.is_empty());
    assert!(fleet.snapshot.specs.is_empty());
    assert_eq!(fleet.snapshot.slots.len(), 5);
}
