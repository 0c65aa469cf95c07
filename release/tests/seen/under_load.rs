//! Thirty replicas, 5,000 calls a second, and not one that fails.

use std::time::Duration;

use release::{CreateArgs, Strategy};

use crate::harness::{Fleet, echo};
use crate::load::Load;

const REPLICAS: usize = 30;
const CALLS_PER_SECOND: u64 = 5_000;

fn create(bin: &str, env: &[(&str, &str)]) -> CreateArgs {
    CreateArgs {
        settle_ms: Some(100),
        ..CreateArgs::new("echo", echo(bin, env), Strategy::Rolling)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seen_3_version_2_replaces_version_1_without_one_failed_call() {
    let fleet = Fleet::start(REPLICAS, "").await;
    let load = Load::start(&fleet, REPLICAS, CALLS_PER_SECOND).await;
    let made = fleet
        .releases()
        .create(&create("server_v2", &[]))
        .await
        .unwrap();
    let ended = fleet.over(&made.id).await;
    let outcome = load.stop().await;
    assert_eq!(ended.phase, "done", "{ended:#?}");
    eprintln!(
        "{} calls at {:.0} a second over a release of {REPLICAS} replicas: {} failed",
        outcome.made,
        outcome.per_second,
        outcome.failed.len()
    );
    assert!(
        outcome.failed.is_empty(),
        "{} {:?}",
        outcome.failed.len(),
        outcome.failed.first()
    );
    assert!(
        outcome.per_second > CALLS_PER_SECOND as f64 * 0.9,
        "{}",
        outcome.per_second
    );
    fleet.healthy("echo", REPLICAS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seen_3_a_version_that_answers_errors_goes_back_by_itself() {
    let fleet = Fleet::start(REPLICAS, "").await;
    let load = Load::start(&fleet, REPLICAS, CALLS_PER_SECOND).await;
    let bad = create("server_v2", &[("ECHO_FAILS", "1")]);
    let made = fleet.releases().create(&bad).await.unwrap();
    let ended = fleet.over(&made.id).await;
    let outcome = load.stop().await;
    assert_eq!(ended.phase, "rolled-back", "{ended:#?}");
    assert!(ended.why.contains("of 1000 calls fail"), "{}", ended.why);
    // Only the first batch ever answered: a tenth of the calls, for a second or two.
    let share = outcome.failed.len() as f64 / outcome.made as f64;
    eprintln!(
        "{:.1} % of the calls failed until it was back",
        share * 100.0
    );
    assert!(!outcome.failed.is_empty() && share < 0.2, "{share}");
    let all = fleet.healthy("echo", REPLICAS).await;
    assert!(
        all.iter().all(|instance| instance.generation == 1),
        "an old one was replaced"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seen_3_killing_release_and_scheduling_in_the_middle_changes_neither() {
    let mut fleet = Fleet::start(REPLICAS, "").await;
    let load = Load::start(&fleet, REPLICAS, CALLS_PER_SECOND).await;
    let made = fleet
        .releases()
        .create(&create("server_v2", &[]))
        .await
        .unwrap();
    for round in 0..6 {
        // So that each kill finds it in the middle of another step.
        tokio::time::sleep(Duration::from_millis(150)).await; // why: kills at several moments
        if round % 3 == 2 {
            fleet.restart_scheduling();
        } else {
            fleet.kill_release().await;
        }
    }
    let ended = fleet.over(&made.id).await;
    let outcome = load.stop().await;
    assert_eq!(ended.phase, "done", "{ended:#?}");
    assert!(
        outcome.failed.is_empty(),
        "{} {:?}",
        outcome.failed.len(),
        outcome.failed.first()
    );
    fleet.healthy("echo", REPLICAS).await;
}
