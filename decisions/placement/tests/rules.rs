//! Where tasks go and where they must not, rule by rule; and the index against a plain scan.

use model::{
    CPU_MILLICORES, Class, Condition, Duty, Effect, GpuRequest, Gpus, LicenseTier, MEMORY_BYTES,
    NodeId, NodeStatus, Requirement, Resources, Taint, Toleration,
};
use placement::{
    Affinity, Cluster, Filter, Machine, PlaceError, Settings, Spread, Strength, Task, Topology,
    Weights, Wish,
};
use proptest::prelude::*;

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn machine(name: &str, cores: u64) -> Machine {
    let capacity = Resources::default()
        .with(CPU_MILLICORES, cores * 1_000)
        .with(MEMORY_BYTES, cores << 32);
    Machine::new(node(name), capacity)
}

fn task(cores: u64) -> Task {
    Task {
        group: "echo".to_owned(),
        request: Resources::default().with(CPU_MILLICORES, cores * 1_000),
        ..Task::default()
    }
}

fn cluster(machines: impl IntoIterator<Item = Machine>) -> Cluster {
    let mut cluster = Cluster::new(Settings::default());
    for machine in machines {
        cluster.set_machine(&machine);
    }
    cluster
}

/// Decides and places; the machine's name, or why none takes it.
fn put(cluster: &mut Cluster, id: &str, task: &Task) -> Result<String, String> {
    let choice = cluster.decide(task).map_err(|e| e.to_string())?;
    cluster.place(id, task, &choice.seat).unwrap();
    Ok(choice.seat.node.to_string())
}

// ---- capacity ----

#[test]
fn best_fit_takes_the_tightest_machine() {
    let mut fleet = cluster([
        machine("large", 64),
        machine("small", 8),
        machine("tiny", 1),
    ]);
    assert_eq!(put(&mut fleet, "a", &task(2)).unwrap(), "small");
    assert_eq!(put(&mut fleet, "b", &task(20)).unwrap(), "large");
}

#[test]
fn worst_fit_and_first_fit_take_what_their_names_say() {
    for (weights, expected) in [(Weights::worst_fit(), "c"), (Weights::first_fit(), "a")] {
        let mut fleet = Cluster::new(Settings {
            weights,
            ..Settings::default()
        });
        for (name, cores) in [("a", 16), ("b", 8), ("c", 64)] {
            fleet.set_machine(&machine(name, cores));
        }
        assert_eq!(put(&mut fleet, "x", &task(2)).unwrap(), expected);
    }
}

#[test]
fn no_machine_goes_above_85_percent_except_by_p0() {
    let mut fleet = cluster([machine("only", 20)]);
    for number in 0..17 {
        put(&mut fleet, &format!("p1-{number}"), &task(1)).unwrap();
    }
    let refused = put(&mut fleet, "one-more", &task(1)).unwrap_err();
    assert_eq!(refused, "no machine of 1 takes it: 1 by capacity");
    let alert = Task {
        class: Class::P0,
        ..task(3)
    };
    assert_eq!(put(&mut fleet, "alert", &alert).unwrap(), "only");
    assert!(
        put(&mut fleet, "alert-2", &alert).is_err(),
        "now it is full"
    );
}

#[test]
fn what_is_released_can_be_used_again() {
    let mut fleet = cluster([machine("only", 10)]);
    put(&mut fleet, "a", &task(8)).unwrap();
    assert!(put(&mut fleet, "b", &task(8)).is_err());
    assert_eq!(fleet.release("a").unwrap().node, node("only"));
    assert!(fleet.release("a").is_none());
    put(&mut fleet, "b", &task(8)).unwrap();
    assert_eq!((fleet.placed(), fleet.machines()), (1, 1));
}

#[test]
fn overcommit_promises_more_only_where_it_is_switched_on() {
    let settings = Settings {
        overcommit_percent: [(CPU_MILLICORES.to_owned(), 130)].into(),
        headroom_percent: 0,
        ..Settings::default()
    };
    let mut fleet = Cluster::new(settings);
    let mut generous = machine("generous", 10);
    generous.facts.overcommit = true;
    fleet.set_machine(&generous);
    fleet.set_machine(&machine("strict", 10));
    assert_eq!(put(&mut fleet, "a", &task(13)).unwrap(), "generous");
    assert_eq!(put(&mut fleet, "b", &task(10)).unwrap(), "strict");
    assert!(put(&mut fleet, "c", &task(1)).is_err());
}

// ---- rules about machines ----

#[test]
fn gpus_are_given_whole_or_in_parts_and_never_twice() {
    let mut gpu = machine("gpu", 64);
    gpu.facts.gpus = Gpus {
        count: 2,
        model: "a100".to_owned(),
    };
    let mut fleet = cluster([gpu, machine("cpu", 64)]);
    let asks = |milli: u32, model: &str| Task {
        gpu: Some(GpuRequest {
            milli,
            models: vec![model.to_owned()],
        }),
        ..task(1)
    };
    assert_eq!(put(&mut fleet, "half", &asks(500, "a100")).unwrap(), "gpu");
    assert_eq!(
        put(&mut fleet, "whole", &asks(1_000, "a100")).unwrap(),
        "gpu"
    );
    assert_eq!(put(&mut fleet, "rest", &asks(500, "a100")).unwrap(), "gpu");
    assert!(put(&mut fleet, "more", &asks(100, "a100")).is_err());
    assert!(put(&mut fleet, "other", &asks(100, "h100")).is_err());
    let devices = |id: &str| fleet.seat(id).unwrap().devices;
    assert_eq!(devices("half"), devices("rest"), "parts share one");
    assert_ne!(devices("half"), devices("whole"));
}

#[test]
fn a_ground_stations_tag_is_never_violated() {
    let mut station = machine("svalbard-1", 16);
    station.facts.labels = [("station".to_owned(), "svalbard".to_owned())].into();
    let mut fleet = cluster([station, machine("berlin-1", 4)]);
    let pass = Task {
        requirements: vec![Requirement {
            key: "station".to_owned(),
            is: Condition::Equals("svalbard".to_owned()),
        }],
        ..task(3)
    };
    for number in 0..4 {
        assert_eq!(
            put(&mut fleet, &format!("pass-{number}"), &pass).unwrap(),
            "svalbard-1"
        );
    }
    let refused = fleet.decide(&pass).unwrap_err();
    assert_eq!(refused.refused[&Filter::Labels], 1);
    assert_eq!(refused.refused[&Filter::Capacity], 1);
}

#[test]
fn every_condition_on_a_label_is_kept() {
    let mut labelled = machine("m", 16);
    let labels = [("disk", "ssd"), ("rack", "12"), ("kernel", "6.1.4")];
    labelled.facts.labels = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let mut fleet = cluster([labelled]);
    let cases = [
        ("disk", Condition::NotEquals("hdd".to_owned()), true),
        (
            "disk",
            Condition::In(vec!["nvme".to_owned(), "ssd".to_owned()]),
            true,
        ),
        ("disk", Condition::In(vec!["nvme".to_owned()]), false),
        ("gpu", Condition::Exists, false),
        ("gpu", Condition::NotEquals("a100".to_owned()), true),
        ("rack", Condition::Below(13), true),
        ("rack", Condition::Above(12), false),
        ("disk", Condition::Matches("^s.d$".to_owned()), true),
        ("kernel", Condition::Version(">= 6.1, < 7".to_owned()), true),
        ("kernel", Condition::Version("> 6.10".to_owned()), false),
    ];
    for (key, is, fits) in cases {
        let said = format!("{key} {is:?}");
        let key = key.to_owned();
        let wants = Task {
            requirements: vec![Requirement { key, is }],
            ..task(1)
        };
        assert_eq!(fleet.decide(&wants).is_ok(), fits, "{said}");
    }
}

#[test]
fn a_taint_keeps_work_off_that_does_not_tolerate_it() {
    let taint = Taint {
        key: "dedicated".to_owned(),
        value: "passes".to_owned(),
        effect: Effect::NoSchedule,
    };
    let mut tainted = machine("tainted", 16);
    tainted.facts.taints = vec![taint];
    let mut fleet = cluster([tainted]);
    assert_eq!(
        fleet.decide(&task(1)).unwrap_err().refused[&Filter::Taints],
        1
    );
    let tolerant = Task {
        tolerations: vec![Toleration {
            key: Some("dedicated".to_owned()),
            ..Toleration::default()
        }],
        ..task(1)
    };
    assert!(fleet.decide(&tolerant).is_ok());
}

#[test]
fn zones_regions_licences_ports_and_pins_are_kept() {
    let mut here = machine("here", 16);
    (here.facts.zone, here.facts.region) = ("attic".to_owned(), "berlin".to_owned());
    here.facts.license = LicenseTier(2);
    let mut fleet = cluster([here, machine("there", 8)]);
    let asks = |change: fn(&mut Task)| {
        let mut task = task(1);
        change(&mut task);
        task
    };
    let attic = asks(|t| t.zones = vec!["attic".to_owned()]);
    let berlin = asks(|t| t.regions = vec!["berlin".to_owned()]);
    let licensed = asks(|t| t.license = LicenseTier(1));
    let dear = asks(|t| t.license = LicenseTier(3));
    let web = asks(|t| t.ports = vec![80]);
    let pinned = asks(|t| t.node = NodeId::new("here").ok());
    for task in [&attic, &berlin, &licensed, &pinned] {
        assert_eq!(fleet.decide(task).unwrap().seat.node, node("here"));
    }
    assert_eq!(
        fleet.decide(&dear).unwrap_err().refused[&Filter::License],
        2
    );
    assert_eq!(put(&mut fleet, "web-0", &web).unwrap(), "there");
    assert_eq!(put(&mut fleet, "web-1", &web).unwrap(), "here");
    assert_eq!(fleet.decide(&web).unwrap_err().refused[&Filter::Ports], 2);
}

#[test]
fn what_takes_no_work_gets_none() {
    let mut away = machine("away", 16);
    away.status = NodeStatus::Away;
    let mut cordoned = machine("cordoned", 16);
    cordoned.duty = Duty::Cordoned;
    let mut fleet = cluster([away, cordoned]);
    assert_eq!(
        fleet.decide(&task(1)).unwrap_err().refused[&Filter::Status],
        2
    );
    fleet.set_machine(&machine("cordoned", 16));
    assert!(fleet.decide(&task(1)).is_ok());
    assert!(fleet.remove_machine(&node("cordoned")).is_empty());
    assert!(fleet.decide(&task(1)).is_err());
}

// ---- others ----

fn zoned(name: &str, zone: &str) -> Machine {
    let mut machine = machine(name, 16);
    machine.facts.zone = zone.to_owned();
    machine
}

#[test]
fn a_hard_spread_never_exceeds_its_skew() {
    let mut fleet = cluster([zoned("a1", "a"), zoned("a2", "a"), zoned("b1", "b")]);
    let spread = Task {
        spread: Some(Spread {
            max_skew: 1,
            strength: Strength::Hard,
        }),
        ..task(1)
    };
    let mut counts = [0_i32; 2];
    for number in 0..12 {
        let on = put(&mut fleet, &number.to_string(), &spread).unwrap();
        counts[usize::from(on.starts_with('b'))] += 1;
        assert!((counts[0] - counts[1]).abs() <= 1, "{counts:?}");
    }
}

#[test]
fn those_that_want_to_be_apart_are_apart_and_together_together() {
    let mut fleet = cluster([zoned("a1", "a"), zoned("b1", "b")]);
    let term = |wish, within| Affinity {
        group: "echo".to_owned(),
        within,
        wish,
        strength: Strength::Hard,
    };
    let apart = Task {
        affinities: vec![term(Wish::Apart, Topology::Node)],
        ..task(1)
    };
    let first = put(&mut fleet, "0", &apart).unwrap();
    let second = put(&mut fleet, "1", &apart).unwrap();
    assert_ne!(first, second);
    assert_eq!(
        fleet.decide(&apart).unwrap_err().refused[&Filter::Affinity],
        2
    );
    let near = Task {
        group: "web".to_owned(),
        affinities: vec![term(Wish::Together, Topology::Zone)],
        ..task(1)
    };
    assert!(fleet.decide(&near).is_ok());
    fleet.release("0");
    fleet.release("1");
    assert!(
        fleet.decide(&near).is_err(),
        "nobody is there to be near to"
    );
}

#[test]
fn what_cannot_be_recorded_is_refused_in_words() {
    let mut fleet = cluster([machine("m", 16)]);
    let seat = fleet.decide(&task(1)).unwrap().seat;
    fleet.place("a", &task(1), &seat).unwrap();
    assert_eq!(
        fleet.place("a", &task(1), &seat),
        Err(PlaceError::Placed("a".to_owned()))
    );
    let nowhere = placement::Seat {
        node: node("nowhere"),
        devices: Vec::new(),
    };
    let refused = fleet.place("b", &task(1), &nowhere);
    assert_eq!(refused, Err(PlaceError::NoSuchMachine(node("nowhere"))));
}

// ---- the index ----

fn machines() -> impl Strategy<Value = Vec<(u64, u8, bool)>> {
    prop::collection::vec((1_u64..32, 0_u8..3, any::<bool>()), 1..12)
}

fn tasks() -> impl Strategy<Value = Vec<(u64, u8, bool, bool, bool)>> {
    let task = (
        1_u64..8,
        0_u8..3,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    prop::collection::vec(task, 1..40)
}

fn wanted((cores, class, spread, apart, leaves): (u64, u8, bool, bool, bool)) -> (Task, bool) {
    let strength = if class == 2 {
        Strength::Hard
    } else {
        Strength::Soft
    };
    let task = Task {
        class: [Class::P0, Class::P1, Class::P2][usize::from(class)],
        group: format!("group-{class}"),
        spread: spread.then_some(Spread {
            max_skew: 1,
            strength,
        }),
        affinities: if apart {
            vec![Affinity {
                group: "group-1".to_owned(),
                within: Topology::Node,
                wish: Wish::Apart,
                strength,
            }]
        } else {
            Vec::new()
        },
        ..task(cores)
    };
    (task, leaves)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_answers_what_a_scan_of_every_machine_answers(
        machines in machines(), tasks in tasks(),
    ) {
        let mut fleet = Cluster::new(Settings::default());
        for (number, (cores, zone, gpu)) in machines.into_iter().enumerate() {
            let mut machine = zoned(&format!("m{number:02}"), &format!("z{zone}"));
            machine.facts.capacity = Resources::default().with(CPU_MILLICORES, cores * 1_000);
            machine.facts.gpus.count = u16::from(gpu);
            fleet.set_machine(&machine);
        }
        for (number, wish) in tasks.into_iter().enumerate() {
            let (task, leaves) = wanted(wish);
            let scanned = fleet.decide_by_scan(&task);
            let decided = fleet.decide(&task).ok();
            let short = decided.as_ref().map(|choice| (choice.seat.node.clone(), choice.score));
            prop_assert_eq!(&short, &scanned, "task {} {:?}", number, task);
            if let Some(choice) = decided {
                fleet.place(&number.to_string(), &task, &choice.seat).unwrap();
            }
            if leaves {
                fleet.release(&(number / 2).to_string());
            }
        }
    }
}
