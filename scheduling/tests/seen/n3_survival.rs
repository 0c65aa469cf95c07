//! 3. Scheduling dies; what it started lives on, and the next one takes it over.

use std::collections::BTreeMap;

use rustix::process::Signal;
use scheduling::{InstanceInfo, ScaleServiceArgs};

use crate::harness::{Fleet, kill, sleeper};

fn pids(instances: &[InstanceInfo]) -> BTreeMap<String, u32> {
    let pid = |i: &InstanceInfo| Some((i.id.clone(), i.pid?));
    instances.iter().filter_map(pid).collect()
}

#[tokio::test]
async fn seen_3_a_restarted_scheduling_adopts_all_and_replaces_only_what_died() {
    let mut fleet = Fleet::start(&[sleeper("a", 3), sleeper("b", 2)]);
    fleet.healthy("a", 3).await;
    fleet.healthy("b", 2).await;
    let before = pids(&fleet.instances().await);
    fleet.kill_scheduling();
    assert_eq!(fleet.processes().len(), 5, "every child lives on");
    kill(before["b.1.1"], Signal::KILL);
    fleet.start_again();
    // Until its agent has looked, scheduling believes what it knew.
    fleet
        .until("what died is replaced", |all| {
            all.iter()
                .find(|i| i.id == "b.1.2" && i.pid.is_some())
                .cloned()
        })
        .await;
    fleet.healthy("b", 2).await;
    fleet.healthy("a", 3).await;
    let after = pids(&fleet.instances().await);
    for (id, pid) in before.iter().filter(|(id, _)| *id != "b.1.1") {
        assert_eq!(after.get(id), Some(pid), "{id} is the same process");
    }
    assert_eq!(fleet.processes().len(), 5, "nothing was started twice");
}

#[tokio::test]
async fn seen_3_killed_in_the_middle_of_a_scale_up_it_starts_nothing_twice() {
    let mut fleet = Fleet::start(&[sleeper("a", 1)]);
    fleet.healthy("a", 1).await;
    for round in 1..=6 {
        let replicas = round * 10;
        let args = ScaleServiceArgs {
            name: "a".into(),
            replicas,
        };
        fleet.client().scale_service(&args).await.unwrap();
        // The wish is durable; how far the starts have come differs from round to round.
        let enough = usize::try_from(round).unwrap();
        fleet
            .until("some are started", |all| {
                let started = all.iter().filter(|i| i.pid.is_some());
                (started.count() >= (enough - 1) * 10 + enough).then_some(())
            })
            .await;
        fleet.kill_scheduling();
        fleet.start_again();
        let count = usize::try_from(replicas).unwrap();
        let mut running = pids(&fleet.healthy("a", count).await)
            .into_values()
            .collect::<Vec<_>>();
        let mut processes = fleet.processes();
        running.sort_unstable();
        processes.sort_unstable();
        assert_eq!(processes, running, "one process for each instance");
    }
}

#[tokio::test]
async fn seen_3_wishes_and_events_outlive_scheduling() {
    let mut fleet = Fleet::start(&[sleeper("a", 1)]);
    fleet.healthy("a", 1).await;
    let args = ScaleServiceArgs {
        name: "a".into(),
        replicas: 3,
    };
    fleet.client().scale_service(&args).await.unwrap();
    fleet.kill_scheduling();
    fleet.start_again();
    fleet.healthy("a", 3).await;
    let events = fleet.events("a").await;
    let scaled = events.iter().find(|e| e.kind == "scaled").unwrap();
    assert_eq!(scaled.why, "1 to 3 replicas");
    let numbers: Vec<u64> = events.iter().map(|e| e.number).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}
