//! A canary that was well, and is not any more.

use std::time::Instant;

use chassis::testing::PATIENCE;
use release::{CanaryStep, CreateArgs, ReleaseArgs, Strategy};

use crate::harness::{Fleet, echo};
use crate::load::Load;

const REPLICAS: usize = 5;
const CALLS_PER_SECOND: u64 = 500;
/// Calls that go well before the canary gets worse: a fifth of them are its.
const WELL: u64 = 1_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_gets_worse_while_it_runs_goes_back_by_itself() {
    let fleet = Fleet::start(REPLICAS, "").await;
    let bad = fleet.dir.path().join("bad");
    let version = echo("server_v2", &[("ECHO_FAILS_WHILE", bad.to_str().unwrap())]);
    let load = Load::start(&fleet, REPLICAS, CALLS_PER_SECOND).await;
    let step = CanaryStep {
        percent: 20,
        hold_ms: 600_000,
    };
    let create = CreateArgs {
        settle_ms: Some(100),
        ..CreateArgs::new("echo", version, Strategy::Canary(vec![step]))
    };
    let made = fleet.releases().create(&create).await.unwrap();
    let args = ReleaseArgs { id: made.id };
    let deadline = Instant::now() + PATIENCE;
    let mut settles_since = None;
    loop {
        let info = fleet.releases().get(&args).await.unwrap();
        assert!(Instant::now() < deadline, "{info:#?}");
        assert_eq!((info.phase.as_str(), info.step), ("running", 1));
        let (calls, failed) = load.so_far();
        assert_eq!(failed, 0, "the canary is well so far");
        if info.waiting == "it settles" {
            let since = *settles_since.get_or_insert(calls);
            if calls >= since + WELL {
                break;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await; // why: polls
    }
    let worse_since = Instant::now();
    std::fs::write(&bad, "").unwrap();
    let ended = fleet.over(&args.id).await;
    let took = worse_since.elapsed();
    let outcome = load.stop().await;
    eprintln!(
        "back {} ms after it got worse; {} of {} calls failed",
        took.as_millis(),
        outcome.failed.len(),
        outcome.made
    );
    assert_eq!(ended.phase, "rolled-back", "{ended:#?}");
    assert!(ended.why.contains("of 1000 calls fail"), "{}", ended.why);
    assert!(!outcome.failed.is_empty());
    let all = fleet.healthy("echo", REPLICAS).await;
    assert!(
        all.iter().all(|instance| instance.generation == 1),
        "an old one was replaced: {all:#?}"
    );
}
