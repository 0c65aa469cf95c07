//! Why a task finds no place: every rule with its margin, and the least that would have to change.

use model::{
    CPU_MILLICORES, Condition, Duty, Effect, GpuRequest, Gpus, LicenseTier, MEMORY_BYTES, NodeId,
    NodeStatus, Requirement, Resources, Taint, Toleration,
};
use placement::{
    Affinity, Change, Cluster, Filter, INSTANCES, Machine, Margin, Report, Seat, Settings, Spread,
    Strength, Task, Topology, Wish,
};
use proptest::prelude::*;

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn machine(name: &str, cores: u64) -> Machine {
    let capacity = Resources::default()
        .with(CPU_MILLICORES, cores * 1_000)
        .with(MEMORY_BYTES, cores << 30);
    Machine::new(node(name), capacity)
}

fn task(cores: u64) -> Task {
    Task {
        group: "echo".to_owned(),
        request: Resources::default().with(CPU_MILLICORES, cores * 1_000),
        ..Task::default()
    }
}

fn settings() -> Settings {
    Settings {
        headroom_percent: 0,
        ..Settings::default()
    }
}

fn cluster(machines: &[Machine]) -> Cluster {
    let mut cluster = Cluster::new(settings());
    for machine in machines {
        cluster.set_machine(machine);
    }
    cluster
}

fn place(cluster: &mut Cluster, id: &str, task: &Task, on: &str) {
    let node = node(on);
    let devices = Vec::new();
    cluster.place(id, task, &Seat { node, devices }).unwrap();
}

/// What would have to change least, in words.
fn least(cluster: &mut Cluster, task: &Task) -> String {
    assert!(cluster.decide(task).is_err(), "it has a place");
    cluster.explain(task)[0].to_string()
}

fn apart_from(group: &str) -> Vec<Affinity> {
    vec![Affinity {
        group: group.to_owned(),
        within: Topology::Node,
        wish: Wish::Apart,
        strength: Strength::Hard,
    }]
}

#[test]
fn what_is_too_big_hears_how_much_less_would_do_on_the_machine_that_comes_closest() {
    let mut fleet = cluster(&[machine("a", 4), machine("b", 8)]);
    let asked = least(&mut fleet, &task(10));
    assert_eq!(asked, "on b: ask for 2000 millicores of cpu less");
}

#[test]
fn what_would_fit_into_an_empty_machine_hears_how_much_has_to_become_free() {
    let mut fleet = cluster(&[machine("a", 4), machine("b", 8)]);
    place(&mut fleet, "x", &task(3), "b");
    let mut wanted = task(6);
    wanted.request = wanted.request.with(MEMORY_BYTES, 9 << 30);
    let both = "on b: free 1000 millicores of cpu, and ask for 1024 MiB of memory less";
    assert_eq!(least(&mut fleet, &wanted), both);
}

#[test]
fn a_missing_label_is_named_with_what_it_has_to_say() {
    let mut fleet = cluster(&[machine("a", 4)]);
    let wanted = Task {
        requirements: vec![Requirement {
            key: "disk".to_owned(),
            is: Condition::Equals("ssd".to_owned()),
        }],
        ..task(1)
    };
    let asked = least(&mut fleet, &wanted);
    assert_eq!(asked, "on a: set label \"disk\" so that it is \"ssd\"");
}

#[test]
fn to_tolerate_a_taint_is_less_than_to_make_room() {
    let mut tainted = machine("b", 8);
    tainted.facts.taints.push(Taint {
        key: "team".to_owned(),
        value: "ml".to_owned(),
        effect: Effect::NoSchedule,
    });
    let mut fleet = cluster(&[machine("a", 4), tainted]);
    place(&mut fleet, "x", &task(2), "a");
    assert_eq!(
        least(&mut fleet, &task(3)),
        "on b: tolerate taint team=\"ml\""
    );
}

#[test]
fn who_keeps_it_away_is_named_with_how_many_there_are() {
    let mut fleet = cluster(&[machine("a", 4), machine("b", 4)]);
    let other = Task {
        group: "batch".to_owned(),
        ..task(1)
    };
    for (id, on) in [("x", "a"), ("y", "a"), ("z", "b")] {
        place(&mut fleet, id, &other, on);
    }
    let wanted = Task {
        affinities: apart_from("batch"),
        ..task(1)
    };
    assert_eq!(least(&mut fleet, &wanted), "on b: move 1 of \"batch\" away");
}

#[test]
fn a_taken_port_is_named_with_who_has_it() {
    let mut fleet = cluster(&[machine("a", 4)]);
    let wanted = Task {
        ports: vec![8080],
        ..task(1)
    };
    place(&mut fleet, "web.0.3", &wanted, "a");
    assert_eq!(
        least(&mut fleet, &wanted),
        "on a: free port 8080, which web.0.3 has"
    );
}

#[test]
fn a_licence_that_does_not_reach_is_named_with_how_far() {
    let mut fleet = cluster(&[machine("a", 4)]);
    let wanted = Task {
        license: LicenseTier(2),
        ..task(1)
    };
    assert_eq!(
        least(&mut fleet, &wanted),
        "on a: raise the machine's licence by 2"
    );
}

#[test]
fn a_tenant_that_has_used_up_its_quota_hears_by_how_much_it_has_to_be_raised() {
    let quota = Resources::default()
        .with(CPU_MILLICORES, 2_500)
        .with(INSTANCES, 10);
    let mut fleet = Cluster::new(Settings {
        quotas: [("web".to_owned(), quota)].into(),
        ..settings()
    });
    fleet.set_machine(&machine("a", 8));
    let wanted = Task {
        tenant: "web".to_owned(),
        ..task(1)
    };
    for id in ["x", "y"] {
        let choice = fleet.decide(&wanted).unwrap();
        fleet.place(id, &wanted, &choice.seat).unwrap();
    }
    let asked = "on a: raise the quota of web by 500 millicores of cpu";
    assert_eq!(least(&mut fleet, &wanted), asked);
    // Others are not in the way, and what is given back can be had again.
    assert!(fleet.decide(&task(4)).is_ok());
    fleet.release("x");
    assert!(fleet.decide(&wanted).is_ok());
}

#[test]
fn a_machine_that_takes_it_says_how_much_room_there_is_by_every_rule() {
    let mut fleet = cluster(&[machine("a", 4)]);
    let reports = fleet.explain(&task(1));
    assert_eq!(reports[0].checks.len(), Filter::ALL.len());
    let capacity = reports[0]
        .checks
        .iter()
        .find(|check| check.filter == Filter::Capacity);
    let margin = Margin::Left {
        resource: CPU_MILLICORES.into(),
        amount: 3_000,
    };
    assert_eq!(capacity.unwrap().outcome, Ok(margin));
    let best = fleet.decide(&task(1)).unwrap();
    assert_eq!(reports[0].score, Some(best.score));
}

#[test]
fn a_task_that_asks_for_one_machine_hears_of_that_one_only() {
    let mut fleet = cluster(&[machine("a", 4), machine("b", 4)]);
    let wanted = Task {
        node: Some(node("b")),
        ..task(9)
    };
    let reports = fleet.explain(&wanted);
    assert_eq!(reports.len(), 1);
    assert_eq!(
        reports[0].to_string(),
        "on b: ask for 5000 millicores of cpu less"
    );
}

// ---- the changes are enough ----

/// What is true of one machine or asked for by one task, as far as rules differ in it.
type Wild = (u64, u8, u8, u8, u8, u8);

fn wild() -> impl Strategy<Value = Wild> {
    (1_u64..9, 0_u8..3, 0_u8..3, 0_u8..4, 0_u8..3, 0_u8..4)
}

fn wild_machine(number: usize, (cores, pool, zone, license, taint, gpus): Wild) -> Machine {
    let mut machine = machine(&format!("m{number}"), cores);
    let facts = &mut machine.facts;
    facts.pool = format!("p{}", pool / 2);
    facts.region = format!("r{}", zone % 2);
    facts.zone = format!("z{zone}");
    facts.license = LicenseTier(license / 2);
    facts.labels.insert("disk".to_owned(), format!("d{taint}"));
    facts.gpus = Gpus {
        count: u16::from(gpus),
        model: format!("g{}", gpus % 2),
    };
    if taint == 2 {
        facts.taints.push(Taint {
            key: "team".to_owned(),
            value: "ml".to_owned(),
            effect: Effect::NoExecute,
        });
    }
    if license == 3 {
        machine.duty = Duty::Cordoned;
    }
    if taint == 1 && pool == 1 {
        machine.status = NodeStatus::Lost;
    }
    machine
}

fn wild_task((cores, pool, zone, license, label, gpus): Wild) -> Task {
    Task {
        pool: format!("p{}", pool / 2),
        regions: vec![format!("r{}", zone % 2)],
        zones: vec![format!("z{zone}")],
        license: LicenseTier(license),
        requirements: vec![Requirement {
            key: "disk".to_owned(),
            is: Condition::Equals(format!("d{label}")),
        }],
        gpu: (gpus > 0).then(|| GpuRequest {
            milli: u32::from(gpus) * 700,
            models: vec!["g0".to_owned()],
        }),
        ports: vec![1_000 + u16::from(pool), 2_000 + u16::from(zone)],
        affinities: if license == 1 {
            apart_from("echo")
        } else {
            Vec::new()
        },
        spread: (label == 1).then_some(Spread {
            max_skew: 1,
            strength: Strength::Hard,
        }),
        ..task(cores)
    }
}

/// The fleet and the task after all that a machine asked for was done.
struct After {
    fleet: Cluster,
    machine: Machine,
    task: Task,
    placed: Vec<String>,
}

impl After {
    fn make(&mut self, change: &Change) {
        let facts = &mut self.machine.facts;
        match change.clone() {
            Change::Recover(_) => self.machine.status = NodeStatus::Ready,
            Change::Open(_) => self.machine.duty = Duty::Open,
            Change::Pool(pool) => self.task.pool = pool,
            Change::Label(asked) => self.task.requirements.retain(|known| *known != asked),
            Change::Tolerate(taint) => self.task.tolerations.push(Toleration {
                key: Some(taint.key),
                value: Some(taint.value),
                effect: Some(taint.effect),
            }),
            Change::AllowRegion(region) => self.task.regions.push(region),
            Change::AllowZone(zone) => self.task.zones.push(zone),
            Change::License { tiers } => facts.license.0 += tiers,
            Change::GpuModel(model) if model.is_empty() => self.task.gpu = None,
            Change::GpuModel(model) => self.task.gpu.as_mut().unwrap().models.push(model),
            Change::FreePort { holder, .. } => {
                self.fleet.release(&holder.expect("somebody has it"));
            }
            Change::Free { resource, amount } => {
                let more = facts.capacity.get(&resource) + amount;
                facts.capacity = facts.capacity.clone().with(&resource, more);
            }
            Change::Shrink { resource, amount } => {
                let less = self.task.request.get(&resource) - amount;
                self.task.request = self.task.request.clone().with(&resource, less);
            }
            Change::ShrinkGpus { milli } => {
                let gpu = self.task.gpu.as_mut().unwrap();
                gpu.milli = gpu.milli.saturating_sub(u32::try_from(milli).unwrap());
            }
            Change::RaiseSkew { by } => self.task.spread.as_mut().unwrap().max_skew += by,
            Change::RaiseQuota { .. } => unreachable!("nobody has a quota here"),
            // Nobody else is there who could be in the way.
            Change::FreeGpus { .. } | Change::MoveAway { .. } => self.release_all(),
            Change::Invite { .. } => unreachable!("nobody wants to be together here"),
        }
    }

    fn release_all(&mut self) {
        for id in &self.placed {
            self.fleet.release(id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_machine_asks_for_is_enough_for_it_to_take_the_task(
        machines in prop::collection::vec(wild(), 1..6),
        others in prop::collection::vec(wild(), 0..12),
        wanted in wild(),
    ) {
        let machines: Vec<Machine> =
            machines.into_iter().enumerate().map(|(n, wild)| wild_machine(n, wild)).collect();
        let mut fleet = cluster(&machines);
        let mut placed = Vec::new();
        for (number, other) in others.into_iter().enumerate() {
            let other = wild_task(other);
            if let Ok(choice) = fleet.decide(&other) {
                placed.push(number.to_string());
                fleet.place(&number.to_string(), &other, &choice.seat).unwrap();
            }
        }
        let task = wild_task(wanted);
        let takes_it = fleet.decide(&task).is_ok();
        let reports: Vec<Report> = fleet.explain(&task);
        prop_assert_eq!(reports.first().is_some_and(|first| first.score.is_some()), takes_it);
        for report in reports {
            prop_assert_eq!(report.score.is_some(), report.effort() == 0);
            let mut after = After {
                fleet: fleet.clone(),
                machine: machines.iter().find(|m| m.id == report.node).unwrap().clone(),
                task: task.clone(),
                placed: placed.clone(),
            };
            report.changes().for_each(|change| after.make(change));
            let After { mut fleet, machine, task, .. } = after;
            fleet.set_machine(&machine);
            let pinned = Task { node: Some(report.node.clone()), ..task };
            let decided = fleet.decide(&pinned);
            prop_assert!(decided.is_ok(), "{} {:?}", report, decided);
        }
    }
}
