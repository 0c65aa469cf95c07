//! 7. Discovery is killed and comes back: whoever knew where to call, calls on.

use std::time::{Duration, Instant};

use discovery::Resolver;
use rustix::process::Signal;
use scheduling::InstanceState;

use crate::harness::{Fleet, echo, eventually, free_ports, kill};

#[tokio::test]
async fn seen_7_no_call_is_lost_while_discovery_is_away() {
    let ports = free_ports(3);
    let discovery = format!(
        "[[service]]\nname = \"discovery\"\nreplicas = 1\nports.well_known = [{}]\n\
         artifact.cargo.manifest_path = \"discovery/Cargo.toml\"\n\
         artifact.cargo.bin_name = \"discovery\"\n",
        ports[0]
    );
    let echo = format!("{}after = [\"discovery\"]\n", echo(&ports[1..]));
    let fleet = Fleet::start(&[discovery, echo]);
    fleet.healthy("echo", 2).await;
    let registry = fleet.healthy("discovery", 1).await.remove(0);
    let resolver = Resolver::new(registry.address.unwrap().parse().unwrap());
    let echo = echo::EchoClient::new(resolver.channel("echo"));
    let call = || async {
        let args = echo::EchoArgs::default();
        echo.echo(&args).await
    };
    eventually("the resolver is warm", || async { call().await.is_ok() }).await;

    kill(registry.pid.unwrap(), Signal::KILL);
    let started = Instant::now();
    let mut calls = 0;
    let back = fleet.until("discovery is back", |all| {
        let healthy = all.iter().filter(|i| i.state == InstanceState::Healthy);
        healthy
            .clone()
            .find(|i| i.service == "discovery" && i.generation > 1)
            .cloned()
    });
    tokio::pin!(back);
    let mut is_back = false;
    while !is_back || started.elapsed() < Duration::from_millis(300) {
        call()
            .await
            .expect("a call to a healthy server is never lost");
        calls += 1;
        tokio::select! {
            biased;
            _ = &mut back, if !is_back => is_back = true,
            () = tokio::task::yield_now() => {}
        }
    }
    eprintln!("{calls} calls while discovery was away and came back, none lost");
    assert!(calls > 10);
}
