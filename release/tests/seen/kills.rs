//! Killed in the middle of writes, again and again: what was acknowledged is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chassis::testing::{Process, Start, workspace_binary};
use parking_lot::Mutex;
use release::{CreateArgs, ReleaseArgs, ReleaseClient, Strategy};
use rpc::Channel;
use tempfile::TempDir;

use crate::harness::{command, sleeper};

/// How often it is killed.
const KILLS: u32 = 200;
/// Services with a release each, which somebody pauses and resumes all the time.
const SERVICES: usize = 4;

/// By release: how many changes of it were acknowledged.
type Acknowledged = Arc<Mutex<BTreeMap<String, u64>>>;

struct World {
    folder: TempDir,
    discovery: Process,
    scheduling: Process,
}

/// Scheduling and discovery by hand: release is killed here, and nobody but us starts it again.
fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let discovery = Start::binary(&workspace_binary("discovery")).ready();
    let fleet = folder.path().join("fleet.toml");
    let specs: Vec<String> = (0..SERVICES)
        .map(|n| sleeper(&format!("s{n}"), 0))
        .collect();
    std::fs::write(&fleet, specs.concat()).unwrap();
    let scheduling = Start::binary(&workspace_binary("scheduling"))
        .env("ORRERY_DATA", folder.path().join("data").display())
        .arg("--build=false")
        .arg("--fleet")
        .arg(&fleet.display().to_string())
        .ready();
    World {
        folder,
        discovery,
        scheduling,
    }
}

impl World {
    /// A release service that finds scheduling through discovery, where the test registers it.
    fn start(&self) -> Process {
        Start::binary(env!("CARGO_BIN_EXE_release"))
            .env("ORRERY_DATA", self.folder.path().join("data").display())
            .env("ORRERY_DISCOVERY", self.discovery.address())
            .ready()
    }
}

async fn toggle(client: ReleaseClient, id: String, acknowledged: Acknowledged) {
    let args = ReleaseArgs { id: id.clone() };
    loop {
        for pause in [true, false] {
            let answer = if pause {
                client.pause(&args).await
            } else {
                client.resume(&args).await
            };
            let Ok(info) = answer else { return };
            let mut acknowledged = acknowledged.lock();
            let known = acknowledged.entry(id.clone()).or_default();
            *known = info.changes.max(*known);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_200_kills() {
    let world = world();
    // Scheduling was not told where discovery is by a fleet of its own: the test says it.
    let registered = register(&world).await;
    let acknowledged = Acknowledged::default();
    {
        let process = world.start();
        let client = ReleaseClient::new(Channel::to(process.address()));
        for n in 0..SERVICES {
            let create = CreateArgs {
                by_hand: true,
                ..CreateArgs::new(
                    format!("s{n}"),
                    command("sleep", &["2000"]),
                    Strategy::Rolling,
                )
            };
            let made = client.create(&create).await.unwrap();
            acknowledged.lock().insert(made.id, made.changes);
        }
    }
    let mut seed = 0x1234_5678_u32;
    for kill in 0..=KILLS {
        let mut process = world.start();
        let client = ReleaseClient::new(Channel::to(process.address()));
        let all = acknowledged.lock().clone();
        for (id, changes) in &all {
            let found = client.get(&ReleaseArgs { id: id.clone() }).await.unwrap();
            let told = format!("{id}: {} of {changes} after kill {kill}", found.changes);
            assert!(found.changes >= *changes, "{told}");
        }
        let writers: Vec<_> = all
            .into_keys()
            .map(|id| {
                let client = ReleaseClient::new(Channel::to(process.address()));
                tokio::spawn(toggle(client, id, Arc::clone(&acknowledged)))
            })
            .collect();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pause = Duration::from_micros(u64::from(seed >> 16) % 20_000);
        tokio::time::sleep(pause).await; // why: the moment of the kill is what is random here
        process.kill();
        for writer in writers {
            writer.await.unwrap();
        }
    }
    let total: u64 = acknowledged.lock().values().sum();
    assert!(total > 500, "only {total} changes: the test does not test");
    drop(registered);
}

async fn register(world: &World) -> rpc::Streaming<discovery::RegisterEvent> {
    let client = discovery::DiscoveryClient::new(world.discovery.channel());
    let registration = discovery::Registration {
        service: "scheduling".to_owned(),
        instance: "scheduling.0.1".to_owned(),
        address: world.scheduling.address().to_string(),
        version: "1".to_owned(),
        zone: String::new(),
        weight: 100,
        protocol: discovery::Protocol::Rpc,
        procedures: Vec::new(),
        labels: BTreeMap::new(),
    };
    let args = discovery::RegisterArgs {
        ttl_ms: 600_000,
        registration,
    };
    let mut stream = client.register(&args).await.unwrap();
    stream.next().await.unwrap().unwrap();
    stream
}
