//! Of several replicas one decides.

use std::time::{Duration, Instant};

use rpc::Empty;
use rustix::process::Signal;
use scheduling::{PlaceArgs, Placement};

use crate::harness::{Fleet, signal, until, wish};

#[tokio::test]
async fn another_one_leads_at_once_when_the_leader_is_killed() {
    let fleet = Fleet::start(2).await;
    let _one = fleet.machine("one", &[("cpu", "4000")]).await;
    let (first, was) = fleet.leader().await;
    signal(fleet.pid(first).await, Signal::KILL);
    let killed = Instant::now();
    let now = until("another one leads", || async {
        let reply = fleet.replica(1 - first).leader(&Empty {}).await.ok()?;
        reply.here.then_some(reply)
    })
    .await;
    let took = killed.elapsed();
    eprintln!("another one leads after {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(now.generation > was.generation);
    fleet.apply(&wish("echo", 1, 100, "")).await;
    fleet.placed("echo", 1).await;
}

#[tokio::test]
async fn a_leader_that_hangs_is_replaced_and_what_it_decides_afterwards_is_refused() {
    let fleet = Fleet::start(2).await;
    let _one = fleet.machine("one", &[("cpu", "4000")]).await;
    let (first, was) = fleet.leader().await;
    let hung = fleet.pid(first).await;
    signal(hung, Signal::STOP);
    let stopped = Instant::now();
    let now = until("another one leads", || async {
        let reply = fleet.replica(1 - first).leader(&Empty {}).await.ok()?;
        reply.here.then_some(reply)
    })
    .await;
    let took = stopped.elapsed();
    eprintln!("another one leads after {took:?}");
    // A lease of 3 s, and a second.
    assert!(took < Duration::from_secs(4), "{took:?}");
    fleet.apply(&wish("echo", 1, 100, "")).await;
    fleet.placed("echo", 1).await;
    let late = PlaceArgs {
        generation: was.generation,
        decisions: vec![Placement {
            instance: "echo.0.1".to_owned(),
            node: Some("one".to_owned()),
            why: String::new(),
        }],
    };
    let refused = fleet.client().place(&late).await.unwrap_err();
    assert_eq!(refused.reason, scheduling::reason::DEPOSED, "{refused}");
    signal(hung, Signal::CONT);
    until("the one that hung knows that it does not lead", || async {
        let reply = fleet.replica(first).leader(&Empty {}).await.ok()?;
        (!reply.here && reply.generation == now.generation).then_some(())
    })
    .await;
}

#[tokio::test]
async fn whoever_resigns_lets_another_one_lead() {
    let fleet = Fleet::start(2).await;
    let (first, was) = fleet.leader().await;
    let reply = fleet.replica(first).resign(&Empty {}).await.unwrap();
    assert!(reply.led);
    let now = until("another one leads", || async {
        let reply = fleet.replica(1 - first).leader(&Empty {}).await.ok()?;
        reply.here.then_some(reply)
    })
    .await;
    assert!(now.generation > was.generation);
    let again = fleet.replica(first).resign(&Empty {}).await.unwrap();
    assert!(!again.led);
}
