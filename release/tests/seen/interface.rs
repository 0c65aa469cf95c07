//! Releases one by one: created, watched, steered, ended.

use std::time::Instant;

use chassis::testing::PATIENCE;
use release::{
    CanaryStep, CreateArgs, ListArgs, ReleaseArgs, ReleaseInfo, RollbackArgs, SYSTEM_ADDRESS,
    SYSTEM_NAME, Strategy, reason,
};
use rpc::Code;
use scheduling::{GetServiceArgs, ScheduleServiceArgs};

use crate::harness::{Fleet, check_refused, command, echo, sleeper};

fn quick(service: &str, version: release::Version, strategy: Strategy) -> CreateArgs {
    CreateArgs {
        settle_ms: Some(50),
        progress_ms: Some(3_000),
        ..CreateArgs::new(service, version, strategy)
    }
}

fn args(id: &str) -> ReleaseArgs {
    ReleaseArgs { id: id.to_owned() }
}

/// Waits until a release is such as `fits` says.
async fn until(fleet: &Fleet, id: &str, fits: impl Fn(&ReleaseInfo) -> bool) -> ReleaseInfo {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let info = fleet.releases().get(&args(id)).await.unwrap();
        if fits(&info) {
            return info;
        }
        assert!(Instant::now() < deadline, "{info:#?}");
    }
}

#[tokio::test]
async fn it_is_a_uniform_service() {
    let binary = env!("CARGO_BIN_EXE_release");
    chassis::testing::check_uniform_service(binary, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}

#[tokio::test]
async fn each_strategy_takes_a_service_to_its_next_version() {
    let fleet = Fleet::start(4, "").await;
    let step = |percent| CanaryStep {
        percent,
        hold_ms: 100,
    };
    let strategies = [
        ("server_v2", Strategy::Rolling),
        ("server_v1", Strategy::Canary(vec![step(25), step(50)])),
        ("server_v2", Strategy::BlueGreen { keep_ms: 100 }),
    ];
    for (bin, strategy) in strategies {
        let create = quick("echo", echo(bin, &[]), strategy);
        let made = fleet.releases().create(&create).await.unwrap();
        let ended = fleet.over(&made.id).await;
        assert_eq!(ended.phase, "done", "{ended:#?}");
        fleet.healthy("echo", 4).await;
        let name = "echo".to_owned();
        let spec = fleet
            .scheduling()
            .get_service(&GetServiceArgs { name })
            .await
            .unwrap()
            .spec;
        assert!(spec.contains(bin), "{spec}");
        assert!(!spec.contains("surge"), "{spec}");
    }
    let list = fleet
        .releases()
        .list(&ListArgs::default())
        .await
        .unwrap()
        .releases;
    let ids: Vec<&str> = list.iter().map(|info| info.id.as_str()).collect();
    assert_eq!(ids, ["r-3", "r-2", "r-1"]);
    let again = quick("echo", echo("server_v2", &[]), Strategy::Rolling);
    let again = fleet.releases().create(&again).await;
    check_refused(again, Code::Conflict, reason::NOTHING_TO_DO);
}

#[tokio::test]
async fn one_at_a_time_by_hand_paused_resumed_and_back() {
    let fleet = Fleet::start(2, "").await;
    let releases = fleet.releases();
    let create = CreateArgs {
        by_hand: true,
        ..quick("echo", echo("server_v2", &[]), Strategy::Rolling)
    };
    let made = releases.create(&create).await.unwrap();
    assert_eq!(
        (made.phase.as_str(), made.step, made.steps),
        ("running", 1, 3)
    );
    let second = releases.create(&create).await;
    check_refused(second, Code::Conflict, reason::UNDER_WAY);
    until(&fleet, &made.id, |info| info.waiting.contains("by hand")).await;
    assert_eq!(fleet.healthy("echo", 3).await.len(), 3);
    let paused = releases.pause(&args(&made.id)).await.unwrap();
    assert!(paused.paused);
    releases.advance(&args(&made.id)).await.unwrap();
    until(&fleet, &made.id, |info| info.waiting.contains("paused")).await;
    releases.resume(&args(&made.id)).await.unwrap();
    until(&fleet, &made.id, |info| {
        info.step == 2 && info.waiting.contains("by hand")
    })
    .await;
    let rollback = RollbackArgs {
        id: made.id.clone(),
        why: "second thoughts".to_owned(),
    };
    releases.rollback(&rollback).await.unwrap();
    let ended = fleet.over(&made.id).await;
    assert_eq!(ended.phase, "rolled-back");
    assert!(ended.why.contains("second thoughts"), "{ended:#?}");
    fleet.healthy("echo", 2).await;
    check_refused(
        releases.pause(&args(&made.id)).await,
        Code::Conflict,
        reason::OVER,
    );
    check_refused(
        releases.rollback(&rollback).await,
        Code::Conflict,
        reason::OVER,
    );
    let said: Vec<&str> = ended.log.iter().map(|entry| entry.what.as_str()).collect();
    assert!(said[0].starts_with("begun by"), "{said:?}");
    assert!(
        said.iter().any(|what| what.starts_with("step 2: 1 of 2")),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_version_that_does_not_run_goes_back_by_itself_and_the_next_one_may_begin() {
    let fleet = Fleet::start(1, &sleeper("sleepy", 3)).await;
    fleet.healthy("sleepy", 3).await;
    let bad = [
        command("sh", &["-c", "exit 7"]),
        command("/no/such/program", &[]),
    ];
    for version in bad {
        let create = quick("sleepy", version, Strategy::Rolling);
        let made = fleet.releases().create(&create).await.unwrap();
        let ended = fleet.over(&made.id).await;
        assert_eq!(ended.phase, "rolled-back", "{ended:#?}");
        let all = fleet.healthy("sleepy", 3).await;
        assert!(
            all.iter().all(|instance| instance.generation == 1),
            "{all:#?}"
        );
    }
    let good = quick("sleepy", command("sleep", &["2000"]), Strategy::Rolling);
    let made = fleet.releases().create(&good).await.unwrap();
    assert_eq!(fleet.over(&made.id).await.phase, "done");
}

#[tokio::test]
async fn an_operator_who_wishes_for_something_else_supersedes_it() {
    let fleet = Fleet::start(2, "").await;
    let create = CreateArgs {
        by_hand: true,
        ..quick("echo", echo("server_v2", &[("A", "1")]), Strategy::Rolling)
    };
    let made = fleet.releases().create(&create).await.unwrap();
    until(&fleet, &made.id, |info| info.waiting.contains("by hand")).await;
    let other = ScheduleServiceArgs {
        name: "echo".to_owned(),
        manifest_path: "echo/Cargo.toml".to_owned(),
        bin_name: "server_v2".to_owned(),
        replicas: 2,
    };
    fleet.scheduling().schedule_service(&other).await.unwrap();
    let ended = fleet.over(&made.id).await;
    assert_eq!(ended.phase, "superseded");
    fleet.healthy("echo", 2).await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let fleet = Fleet::start(1, "").await;
    let releases = fleet.releases();
    let batch = CreateArgs {
        batch: Some(0),
        ..quick("echo", echo("server_v2", &[]), Strategy::Rolling)
    };
    check_refused(
        releases.create(&batch).await,
        Code::InvalidArgument,
        reason::BAD_PLAN,
    );
    let nobody = quick("nobody", echo("server_v2", &[]), Strategy::Rolling);
    check_refused(
        releases.create(&nobody).await,
        Code::NotFound,
        "unknown-service",
    );
    for id in ["", "r-", "r-9", "9"] {
        let unknown = releases.get(&args(id)).await;
        check_refused(unknown, Code::NotFound, reason::UNKNOWN_RELEASE);
    }
}
