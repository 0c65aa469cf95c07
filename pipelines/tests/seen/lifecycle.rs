//! The life of a job, without accidents.

use std::time::Instant;

use pipelines::{JobArgs, SYSTEM_ADDRESS, SYSTEM_NAME, StopMode};

use crate::harness::{World, epoch, is_gone};
use crate::plans::{append, check_exactly_once, copy, impulse, numbers, until_shown};

#[tokio::test]
async fn it_is_a_uniform_service() {
    let binary = env!("CARGO_BIN_EXE_pipelines");
    chassis::testing::check_uniform_service(binary, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}

#[tokio::test]
async fn a_job_is_submitted_runs_takes_checkpoints_stops_and_goes_on() {
    let world = World::new();
    let (input, output) = (world.path("in"), world.path("out"));
    let asked = Instant::now();
    world.submit("copy", &copy(&input, &output)).await;
    let info = world.running("copy", 1).await;
    eprintln!("submit to running: {:?}", asked.elapsed());
    assert_eq!(info.workers.len(), 2);
    assert_eq!(info.parallelism["lines"], 2);
    append(&input, 0..1_000);
    let first = world.checkpointed("copy", 0).await;
    until_shown("the first rows", || numbers(&output).len() == 1_000).await;

    append(&input, 1_000..1_500);
    let stopping = world.stop("copy", StopMode::Checkpoint).await.unwrap();
    assert_eq!(stopping.wish, "stop (checkpoint)");
    let stopped = world.state("copy", "stopped").await;
    assert!(epoch(&stopped) > first);
    assert!(info.workers.iter().all(|worker| is_gone(worker.pid)));
    assert_eq!(stopped.failure, None);

    append(&input, 1_500..2_000);
    world.restart("copy").await.unwrap();
    let again = world.running("copy", 2).await;
    assert_eq!(again.wish, "run");
    until_shown("all rows", || numbers(&output).len() == 2_000).await;
    check_exactly_once(&output, 2_000);
    let log = world.log("copy").await;
    let moves = [
        "Created -> Compiling",
        "Compiling -> Scheduling",
        "Scheduling -> Running",
    ];
    assert!(moves.iter().all(|moved| log.contains(moved)), "{log}");

    world.stop("copy", StopMode::Immediate).await.unwrap();
    world.state("copy", "stopped").await;
    world.client().delete(&JobArgs::new("copy")).await.unwrap();
    assert!(world.client().show(&JobArgs::new("copy")).await.is_err());
    let left = world.path("data/pipelines/checkpoints/copy");
    assert!(!left.exists(), "its checkpoints are gone");
}

#[tokio::test]
async fn a_job_whose_sources_end_finishes_with_all_its_rows() {
    let world = World::new();
    let output = world.path("out");
    world.submit("numbers", &impulse(10_000, &output)).await;
    let info = world.state("numbers", "finished").await;
    assert!(info.finished_at_ms >= info.started_at_ms);
    assert_eq!(crate::plans::shown(&output).len(), 10_000);
    let refused = world.restart("numbers").await.unwrap_err();
    assert_eq!(refused.reason, pipelines::reason::FINISHED);
}

#[tokio::test]
async fn every_stop_ends_in_stopped_and_leaves_no_process() {
    let world = World::new();
    let modes = [StopMode::Graceful, StopMode::Immediate, StopMode::Force];
    for (number, mode) in modes.into_iter().enumerate() {
        let name = format!("copy-{number}");
        let (input, output) = (world.path(&format!("in{number}")), world.path("out"));
        world.submit(&name, &copy(&input, &output)).await;
        let info = world.running(&name, 1).await;
        world.stop(&name, mode).await.unwrap();
        world.state(&name, "stopped").await;
        assert!(info.workers.iter().all(|worker| is_gone(worker.pid)));
    }
    assert_eq!(
        world
            .client()
            .list(&rpc::Empty {})
            .await
            .unwrap()
            .jobs
            .len(),
        3
    );
}

#[tokio::test]
async fn tasks_say_what_they_count_and_a_job_says_why_it_is_where_it_is() {
    let world = World::new();
    let (input, output) = (world.path("in"), world.path("out"));
    world.submit("copy", &copy(&input, &output)).await;
    world.running("copy", 1).await;
    append(&input, 0..100);
    until_shown("all rows", || numbers(&output).len() == 100).await;
    let job = JobArgs::new("copy");
    let counted = world.client().metrics_of(&job).await.unwrap().tasks;
    let rows: u64 = counted.iter().map(|task| task.rows_in).sum();
    assert_eq!(counted.len(), 3, "{counted:?}");
    assert!(rows >= 100, "{counted:?}");
    let why = world.client().why(&job).await.unwrap().sentences;
    assert_eq!(why[0], "it is Running");
}
