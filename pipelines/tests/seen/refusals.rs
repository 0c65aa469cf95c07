//! What cannot be is refused, with what would be right.

use pipelines::{JobArgs, StopArgs, StopMode, SubmitArgs, reason};

use crate::harness::World;
use crate::plans::{copy, impulse};

#[tokio::test]
async fn a_bad_plan_a_bad_name_and_an_unknown_job_are_refused_with_a_hint() {
    let world = World::new();
    let client = world.client();
    let refused = client.submit(&SubmitArgs::new("x", "{\"nodes\": 3}")).await;
    assert_eq!(refused.unwrap_err().reason, reason::BAD_PLAN);
    let refused = client
        .submit(&SubmitArgs::new("x", "{\"nodes\": []}"))
        .await;
    assert_eq!(refused.unwrap_err().reason, reason::BAD_PLAN);
    let plan = serde_json::to_string(&impulse(5, &world.path("out"))).unwrap();
    let refused = client.submit(&SubmitArgs::new("../x", plan.clone())).await;
    assert_eq!(refused.unwrap_err().reason, reason::BAD_NAME);
    let mut args = SubmitArgs::new("x", plan);
    args.checkpoint_interval_ms = Some(1);
    assert_eq!(
        client.submit(&args).await.unwrap_err().reason,
        reason::BAD_SETTING
    );

    world
        .submit("clicks", &impulse(5, &world.path("out")))
        .await;
    let stop = StopArgs {
        name: "click".into(),
        mode: StopMode::Force,
    };
    let refused = client.stop(&stop).await.unwrap_err();
    assert_eq!(refused.reason, reason::UNKNOWN_JOB);
    assert_eq!(refused.hint, "did you mean clicks?");
}

#[tokio::test]
async fn a_name_means_one_plan_and_a_job_that_runs_is_not_deleted() {
    let world = World::new();
    let plan = copy(&world.path("in"), &world.path("out"));
    let first = world.submit("copy", &plan).await;
    let again = world.submit("copy", &plan).await;
    assert_eq!(first.name, again.name);
    let other = serde_json::to_string(&impulse(5, &world.path("out"))).unwrap();
    let refused = world.client().submit(&SubmitArgs::new("copy", other)).await;
    assert_eq!(refused.unwrap_err().reason, reason::JOB_EXISTS);
    let refused = world.client().delete(&JobArgs::new("copy")).await;
    assert_eq!(refused.unwrap_err().reason, reason::STILL_RUNS);
    let refused = world.rescale("copy", 0).await.unwrap_err();
    assert_eq!(refused.reason, reason::BAD_SETTING);
    world.stop("copy", StopMode::Force).await.unwrap();
    world.state("copy", "stopped").await;
}

#[tokio::test]
async fn b05_without_enough_slots_a_job_waits_and_says_so() {
    let world = World::with(&["--slots=1"]);
    let plan = copy(&world.path("in"), &world.path("out"));
    world.submit("copy", &plan).await;
    world.state("copy", "scheduling").await;
    let deadline = std::time::Instant::now() + chassis::testing::PATIENCE;
    loop {
        let why = world.client().why(&JobArgs::new("copy")).await.unwrap();
        if why
            .sentences
            .join("; ")
            .contains("1 of 2 slots are missing")
        {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{why:?}");
    }
    world.stop("copy", StopMode::Checkpoint).await.unwrap();
    world.state("copy", "stopped").await;
}
