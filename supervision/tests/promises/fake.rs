//! The machine in memory keeps the same promises, a thousand at a time.

use std::time::Duration;

use model::Exit;
use supervision::{FakeRuntime, Launch, Notice, Runtime, Script, SpawnError};
use tokio::time::Instant;

use crate::common::id;

fn launch(n: usize) -> Launch {
    Launch::new(id(&format!("a.{n}.1")), "program")
}

#[tokio::test(start_paused = true)]
async fn a_thousand_instances_start_get_ready_and_end_in_virtual_time() {
    let fake = FakeRuntime::new(|_| Script {
        start_delay: Duration::from_millis(3),
        ready_after: Some(Duration::from_millis(50)),
        obeys_term_after: None,
        ..Script::default()
    });
    let started = Instant::now();
    let mut all = Vec::new();
    for n in 0..1000 {
        all.push(fake.spawn(launch(n)).await.unwrap());
    }
    for running in &all {
        running.ready().await;
    }
    assert_eq!(started.elapsed(), Duration::from_millis(3 * 1000 + 50));
    assert_eq!(fake.alive().len(), 1000);
    for running in &all {
        let exit = fake.stop(running, Duration::from_secs(1)).await.unwrap();
        assert_eq!(exit, Exit::Signal(9), "it ignores SIGTERM");
    }
    assert!(fake.alive().is_empty());
    assert_eq!(fake.started().len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_crash_comes_on_demand_or_by_script_and_only_to_its_own_process() {
    let fake = FakeRuntime::new(|launch| Script {
        exit_after: launch
            .env
            .get("DIES")
            .map(|_| (Duration::from_secs(1), Exit::Code(3))),
        lines: vec!["one".to_owned(), "two".to_owned()],
        ..Script::default()
    });
    let dies = fake.spawn(launch(0).env("DIES", "1")).await.unwrap();
    let lives = fake.spawn(launch(1)).await.unwrap();
    assert_eq!(dies.exit().await, Exit::Code(3));
    assert_eq!(fake.last_lines(dies.id(), 1), ["two"]);
    assert!(fake.usage(&dies).is_err());
    assert!(fake.end(lives.id(), Exit::Signal(11)));
    assert_eq!(lives.exit().await, Exit::Signal(11));
    assert!(!fake.end(lives.id(), Exit::Signal(11)));
    assert!(!fake.say(lives.id(), &Notice::default()));
}

#[tokio::test]
async fn another_supervisor_adopts_by_identity_and_a_second_start_is_refused() {
    let fake = FakeRuntime::default();
    let running = fake.spawn(launch(0)).await.unwrap();
    let refused = fake.spawn(launch(0)).await.unwrap_err();
    assert!(matches!(refused, SpawnError::AlreadyRunning { .. }));
    let next = fake.clone();
    drop(fake);
    let survivors = next.survivors().await.unwrap();
    assert_eq!(&survivors[0].identity, running.identity());
    let identity = survivors[0].identity.clone();
    let adopted = next
        .adopt(id("a.0.1"), identity.clone())
        .await
        .unwrap()
        .unwrap();
    let exit = next.stop(&adopted, Duration::from_secs(1)).await.unwrap();
    assert_eq!(
        (exit, running.exited()),
        (Exit::Signal(15), Some(Exit::Signal(15)))
    );
    assert!(next.adopt(id("a.0.1"), identity).await.unwrap().is_none());
}

#[tokio::test]
async fn a_refused_start_leaves_nothing() {
    let fake = FakeRuntime::new(|_| Script {
        refuse: Some("no memory"),
        ..Script::default()
    });
    let refused = fake.spawn(launch(0)).await.unwrap_err();
    assert!(refused.is_retryable());
    assert!(fake.alive().is_empty() && fake.started().is_empty());
}
