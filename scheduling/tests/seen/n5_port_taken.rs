//! 5. A well-known port that somebody else has: who, and the rest of the fleet boots.

use std::net::TcpListener;

use scheduling::{ExplainArgs, InstanceState};

use crate::harness::{Fleet, echo, free_ports, sleeper};

#[tokio::test]
async fn seen_5_a_taken_port_is_named_with_its_owner_and_the_rest_boots() {
    let ports = free_ports(2);
    let foreign = TcpListener::bind(("127.0.0.1", ports[0])).unwrap();
    let fleet = Fleet::start(&[echo(&ports), sleeper("other", 2)]);
    fleet.healthy("other", 2).await;
    let failed = fleet
        .until("echo.0 fails and echo.1 is healthy", |all| {
            let healthy = |i: &&scheduling::InstanceInfo| i.state == InstanceState::Healthy;
            let echo: Vec<_> = all.iter().filter(|i| i.service == "echo").collect();
            echo.iter().find(|i| i.index == 1 && healthy(i))?;
            let failed = echo.iter().find(|i| i.state == InstanceState::Failed)?;
            Some((*failed).clone())
        })
        .await;
    let why = failed.failure.unwrap();
    let owner = format!(
        "port {} is taken by process {}",
        ports[0],
        std::process::id()
    );
    assert!(why.starts_with(&owner), "{why}");
    let target = failed.id.clone();
    let explained = fleet.client().explain(&ExplainArgs { target }).await;
    let explained = explained.unwrap();
    let next = &explained.next[0];
    assert!(
        next.contains(&std::process::id().to_string()),
        "{explained:?}"
    );
    // It is tried again for as long as it takes.
    drop(foreign);
    fleet.healthy("echo", 2).await;
}
