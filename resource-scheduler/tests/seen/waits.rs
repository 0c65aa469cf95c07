//! It may be killed at any moment.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Fleet, signal, until, wish};

#[tokio::test]
async fn while_it_is_dead_the_api_answers_as_fast_what_runs_goes_on_and_what_is_new_waits() {
    let fleet = Fleet::start(1).await;
    let _one = fleet.machine("one", &[("cpu", "4000")]).await;
    fleet.apply(&wish("before", 2, 100, "")).await;
    fleet.placed("before", 2).await;
    let calm = median_latency(&fleet).await;
    // Stopped and not killed, or scheduling would have another one at once.
    let pid = fleet.pid(0).await;
    signal(pid, Signal::STOP);
    fleet.apply(&wish("during", 1, 100, "")).await;
    let why = fleet.waits("during", "").await;
    assert!(!why.is_empty());
    let meanwhile = median_latency(&fleet).await;
    assert!(
        meanwhile < calm * 3 + Duration::from_millis(2),
        "{calm:?} before, {meanwhile:?} while it was away"
    );
    assert_eq!(fleet.placed("before", 2).await.len(), 1);
    assert_eq!(fleet.instances("during").await[0].node, None);
    signal(pid, Signal::KILL);
    until("there is another one", || async {
        let all = fleet.instances("resource-scheduler").await;
        all.iter()
            .find(|i| i.pid.is_some_and(|now| now != pid))
            .map(drop)
    })
    .await;
    fleet.leader().await;
    let back = Instant::now();
    fleet.placed("during", 1).await;
    let took = back.elapsed();
    eprintln!("placed {took:?} after its return; the API took {calm:?}, then {meanwhile:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// Of a read that goes through the control loop.
async fn median_latency(fleet: &Fleet) -> Duration {
    let mut all = Vec::new();
    for _ in 0..51 {
        let asked = Instant::now();
        fleet.instances("before").await;
        all.push(asked.elapsed());
    }
    all.sort();
    all[all.len() / 2]
}
