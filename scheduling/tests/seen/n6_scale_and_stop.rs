//! 6. Scale up and down, stop everything, and never run twice on the same data.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use chassis::testing::Start;
use rustix::process::Signal;
use scheduling::{PlanArgs, ProposedChange, ScaleServiceArgs};

use crate::harness::{Fleet, SCHEDULING, echo, free_ports, kill, script, sleeper};

#[tokio::test]
async fn seen_6_from_3_to_50_and_back_nothing_is_left_over() {
    let ports = free_ports(3);
    let fleet = Fleet::start(&[echo(&ports)]);
    fleet.healthy("echo", 3).await;
    let scale = |replicas| ScaleServiceArgs {
        name: "echo".into(),
        replicas,
    };
    let planned = PlanArgs {
        change: Some(ProposedChange::Scale {
            name: "echo".into(),
            replicas: 50,
        }),
    };
    let plan = fleet.client().plan(&planned).await.unwrap();
    assert_eq!(plan.actions.len(), 47);
    assert!(plan.actions.iter().all(|a| a.verb == "create"), "{plan:?}");
    fleet.client().scale_service(&scale(50)).await.unwrap();
    let fifty = fleet.healthy("echo", 50).await;
    assert_eq!(fleet.processes().len(), 50);
    let reply = fleet.client().scale_service(&scale(3)).await.unwrap();
    assert_eq!(reply.replicas_before, 50);
    let three = fleet.healthy("echo", 3).await;
    assert_eq!(three, fifty[..3], "the first three were left alone");
    assert_eq!(fleet.processes().len(), 3);
    for gone in &fifty[3..] {
        TcpListener::bind(("127.0.0.1", gone.port.unwrap())).unwrap();
    }
}

#[tokio::test]
async fn seen_6_ctrl_c_ends_the_whole_fleet_within_5_seconds() {
    let ports = free_ports(3);
    // One that does not listen to SIGTERM, with a child of its own.
    let deaf = script(
        "deaf",
        "trap '' TERM; sleep 1000 & while true; do sleep 1; done",
    );
    let mut fleet = Fleet::start(&[echo(&ports), sleeper("many", 20), deaf]);
    fleet.healthy("echo", 3).await;
    fleet.healthy("many", 20).await;
    fleet.healthy("deaf", 1).await;
    let started = Instant::now();
    fleet.process.signal(Signal::INT);
    let status = fleet.process.wait();
    let took = started.elapsed();
    assert!(status.success(), "{}", fleet.process.stderr());
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(fleet.processes(), Vec::<u32>::new());
    for port in ports {
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
    // The wishes are still there.
    fleet.start_again();
    let many = fleet.healthy("many", 20).await;
    assert!(many.iter().all(|i| i.attempt == 1), "{many:#?}");
}

#[tokio::test]
async fn seen_6_a_second_ctrl_c_kills() {
    let deaf = script("deaf", "trap '' TERM; while true; do sleep 1; done");
    let mut fleet = Fleet::start(&[deaf]);
    fleet.healthy("deaf", 1).await;
    fleet.process.signal(Signal::INT);
    crate::harness::eventually("it is draining", || async {
        fleet.process.stderr().contains("stopping the fleet")
    })
    .await;
    let started = Instant::now();
    fleet.process.signal(Signal::INT);
    fleet.process.wait();
    assert!(started.elapsed() < Duration::from_secs(2));
    crate::harness::eventually("nothing is left", || async { fleet.processes().is_empty() }).await;
}

#[tokio::test]
async fn seen_6_a_second_start_on_the_same_data_is_refused_and_names_the_first() {
    let fleet = Fleet::start(&[sleeper("a", 1)]);
    let first = fleet.healthy("a", 1).await;
    let data = fleet.dir.path().join("data");
    let second = Start::binary(SCHEDULING)
        .env("ORRERY_DATA", data.display())
        .ended();
    assert_eq!(second.status.code(), Some(69));
    let name = format!("process {}", fleet.process.pid());
    assert!(second.stderr.contains(&name), "{}", second.stderr);
    assert!(second.stderr.contains("hint: "), "{}", second.stderr);
    assert_eq!(
        fleet.healthy("a", 1).await,
        first,
        "the first goes on undisturbed"
    );
    kill(first[0].pid.unwrap(), Signal::KILL);
    fleet
        .until("it is replaced", |all| {
            all.iter().find(|i| i.generation == 2).cloned()
        })
        .await;
}
