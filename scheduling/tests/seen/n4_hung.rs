//! 4. An instance that hangs with its port open is found by asking it, and replaced.

use rustix::process::Signal;
use scheduling::InstanceState;

use crate::harness::{Fleet, echo, free_ports, kill};

#[tokio::test]
async fn seen_4_a_stopped_instance_is_found_unhealthy_and_replaced() {
    let ports = free_ports(2);
    let quick = "probes.liveness = { interval_ms = 50, timeout_ms = 100, failures_max = 2 }\n";
    let fleet = Fleet::start(&[format!("{}{quick}", echo(&ports))]);
    let victim = fleet.healthy("echo", 2).await.remove(0);
    kill(victim.pid.unwrap(), Signal::STOP);
    let next = fleet
        .until("it is replaced", |all| {
            let mut newer = all
                .iter()
                .filter(|i| i.index == victim.index && i.generation > 1);
            newer.find(|i| i.state == InstanceState::Healthy).cloned()
        })
        .await;
    assert_ne!(next.pid, victim.pid);
    assert_eq!(next.port, victim.port);
    let events = fleet.events("echo").await;
    let about = events.iter().filter(|e| e.subject == victim.id);
    let kinds: Vec<&str> = about.clone().map(|e| e.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "scheduled",
            "started",
            "healthy",
            "unhealthy",
            "stopping",
            "failed"
        ]
    );
    let unhealthy = about.clone().find(|e| e.kind == "unhealthy").unwrap();
    assert!(unhealthy.why.contains("HEALTH"), "{unhealthy:?}");
    let other = fleet.events("echo").await;
    assert!(
        other.iter().all(|e| e.subject != "echo.1.2"),
        "the other one is left alone"
    );
}
