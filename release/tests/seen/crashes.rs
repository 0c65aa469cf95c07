//! Scheduling and release die by SIGKILL while something of a release is under way.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chassis::testing::{PATIENCE, workspace_binary};
use release::{CreateArgs, ListArgs, ReleaseInfo, Strategy, Version, reason};
use rpc::{Code, Error};
use scheduling::{GetServiceArgs, ListInstancesArgs};
use tokio::task::JoinSet;

use crate::harness::{Fleet, command, processes_of, sleeper};

const REPLICAS: usize = 4;
/// Services of which a release each is created at the same time.
const SERVICES: usize = 6;

/// Echo of version 2, which takes its time to start.
fn slow_echo() -> Version {
    let echo = workspace_binary("server_v2");
    let script = format!("sleep 0.3; exec {echo}");
    command("sh", &["-c", &script])
}

fn quick(service: &str, version: Version) -> CreateArgs {
    CreateArgs {
        settle_ms: Some(50),
        ..CreateArgs::new(service, version, Strategy::Rolling)
    }
}

/// Waits until an instance is on its way to be healthy that was not there before.
async fn next_start(fleet: &Fleet, service: &str, seen: &mut BTreeSet<String>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all = fleet.instances(service).await;
        let starts = |state: scheduling::InstanceState| {
            use scheduling::InstanceState::{Healthy, Stopping};
            !state.is_terminal() && !matches!(state, Healthy | Stopping)
        };
        let new = all
            .iter()
            .find(|i| starts(i.state) && !seen.contains(&i.id));
        if let Some(new) = new {
            seen.insert(new.id.clone());
            return;
        }
        assert!(Instant::now() < deadline, "nothing starts: {all:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await; // why: polls
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_goes_on_when_either_is_killed_while_instances_start() {
    let mut fleet = Fleet::start(REPLICAS, "").await;
    let create = quick("echo", slow_echo());
    let made = fleet.releases().create(&create).await.unwrap();
    let mut seen = BTreeSet::new();
    for kill in 0..4 {
        next_start(&fleet, "echo", &mut seen).await;
        if kill % 2 == 0 {
            fleet.restart_scheduling();
        } else {
            fleet.kill_release().await;
        }
    }
    let ended = fleet.over(&made.id).await;
    assert_eq!(ended.phase, "done", "{ended:#?}");
    let all = fleet.healthy("echo", REPLICAS).await;
    let slots: BTreeSet<u32> = all.iter().map(|instance| instance.index).collect();
    assert_eq!(slots, (0..4).collect(), "{all:#?}");
    let revisions: BTreeSet<u64> = all.iter().map(|i| i.spec_revision).collect();
    assert_eq!(revisions.len(), 1, "{all:#?}");
    let pids: BTreeSet<u32> = all.iter().filter_map(|instance| instance.pid).collect();
    assert_eq!(
        processes_of(&fleet.dir, "server_v2"),
        pids,
        "nothing else runs"
    );
    assert!(processes_of(&fleet.dir, "server_v1").is_empty());
    assert!(failed(&fleet, "echo").await.is_empty());
}

/// The instances that ended unasked.
async fn failed(fleet: &Fleet, service: &str) -> Vec<String> {
    let args = ListInstancesArgs {
        service: Some(service.to_owned()),
        ended: true,
    };
    let all = fleet.scheduling().list_instances(&args).await.unwrap();
    let failed = all.instances.into_iter();
    failed
        .filter(|i| i.state == scheduling::InstanceState::Failed)
        .map(|i| i.id)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_release_is_withdrawn_all_the_same_when_both_are_killed_meanwhile() {
    let mut fleet = Fleet::start(1, &sleeper("sleepy", 3)).await;
    fleet.healthy("sleepy", 3).await;
    let version = command("sh", &["-c", "sleep 0.2; exit 7"]);
    let made = fleet
        .releases()
        .create(&quick("sleepy", version))
        .await
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while fleet.instances("sleepy").await.len() < 4 {
        assert!(Instant::now() < deadline, "no instance of it is there");
    }
    fleet.kill_release().await;
    fleet.restart_scheduling();
    // The first that failed is there before either dies once more.
    while failed(&fleet, "sleepy").await.is_empty() {
        assert!(Instant::now() < deadline, "none of it fails");
    }
    fleet.restart_scheduling();
    fleet.kill_release().await;
    let ended = fleet.over(&made.id).await;
    assert_eq!(ended.phase, "rolled-back", "{ended:#?}");
    let all = fleet.healthy("sleepy", 3).await;
    let versions: BTreeSet<u64> = all.iter().map(|i| i.spec_revision).collect();
    assert_eq!(versions.len(), 1, "{all:#?}");
    let name = "sleepy".to_owned();
    let args = GetServiceArgs { name };
    let spec = fleet.scheduling().get_service(&args).await.unwrap().spec;
    assert!(
        !spec.contains("exit 7") && !spec.contains("surge"),
        "{spec}"
    );
}

/// Creates one, unless it is there, for as long as nobody answers.
async fn insist(fleet: &Fleet, service: &str, version: &Version) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let args = quick(service, version.clone());
        match fleet.releases().create(&args).await {
            Ok(_) => return,
            Err(error) if is_there(&error) => return,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await; // why: polls
    }
}

fn is_there(error: &Error) -> bool {
    let reasons = [reason::UNDER_WAY, reason::NOTHING_TO_DO];
    error.code == Code::Conflict && reasons.contains(&error.reason.as_ref())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_created_is_there_once_when_either_is_killed_while_more_is_created() {
    let services: Vec<String> = (0..SERVICES).map(|n| format!("s{n}")).collect();
    let specs: Vec<String> = services.iter().map(|name| sleeper(name, 1)).collect();
    let mut fleet = Fleet::start(1, &specs.concat()).await;
    let mut acknowledged = 0;
    for round in 1..=4_usize {
        let version = command("sleep", &[&(2_000 + round).to_string()]);
        let mut creating = JoinSet::new();
        for service in &services {
            let releases = fleet.releases();
            let args = quick(service, version.clone());
            creating.spawn(async move { releases.create(&args).await });
        }
        let pause = Duration::from_millis(2 * round as u64);
        tokio::time::sleep(pause).await; // why: kills at several moments
        if round % 2 == 0 {
            fleet.restart_scheduling();
        } else {
            fleet.kill_release().await;
        }
        let made: Vec<ReleaseInfo> = creating.join_all().await.into_iter().flatten().collect();
        acknowledged += made.len();
        for service in &services {
            insist(&fleet, service, &version).await;
        }
        for info in &made {
            assert_eq!(fleet.over(&info.id).await.phase, "done");
        }
        for service in &services {
            let ended = ended_one_by_one(&fleet, service).await;
            assert_eq!(ended, round, "{service} has one release for each round");
        }
    }
    eprintln!(
        "{acknowledged} of {} were acknowledged at once",
        4 * SERVICES
    );
}

/// Waits until all releases of a service are done, and counts them.
async fn ended_one_by_one(fleet: &Fleet, service: &str) -> usize {
    let args = ListArgs {
        service: Some(service.to_owned()),
        limit: 0,
    };
    let all = fleet.releases().list(&args).await.unwrap().releases;
    for info in &all {
        assert_eq!(fleet.over(&info.id).await.phase, "done");
    }
    all.len()
}
