//! Read through, over a real storage.

use std::time::{Duration, Instant};

use caching::{CachingClient, GetArgs, GetReply, reason};
use chassis::testing::{PATIENCE, Process, Start, workspace_binary};
use rpc::{Code, Empty, Error};
use storage::{DeleteArgs, PutArgs, StorageClient};
use tempfile::TempDir;

use crate::common::{check_refused, discovery, replica};

struct Fleet {
    discovery: Process,
    storage: Process,
    folder: TempDir,
    _cache: Process,
    client: CachingClient,
}

fn start_storage(discovery: &Process, folder: &TempDir) -> Process {
    Start::binary(&workspace_binary("storage"))
        .env("ORRERY_DISCOVERY", discovery.address())
        .env("ORRERY_DATA", folder.path().display())
        .ready()
}

fn fleet() -> Fleet {
    let (discovery, folder) = (discovery(), tempfile::tempdir().unwrap());
    let storage = start_storage(&discovery, &folder);
    let cache = replica(&discovery, "caching.0.1");
    let client = CachingClient::new(cache.channel());
    Fleet {
        discovery,
        storage,
        folder,
        _cache: cache,
        client,
    }
}

impl Fleet {
    async fn put(&self, key: &str, value: &str) {
        let storage = StorageClient::new(self.storage.channel());
        storage
            .put(&PutArgs::new(key, value.to_owned()))
            .await
            .unwrap();
    }

    async fn ask(&self, key: &str, stale_ok: bool) -> Result<GetReply, Error> {
        let args = GetArgs {
            through: true,
            stale_ok,
            ..GetArgs::new(key)
        };
        self.client.get(&args).await
    }

    /// Asks again until it is this.
    async fn becomes(&self, key: &str, expected: Option<&str>) -> Duration {
        let begun = Instant::now();
        loop {
            let value = self
                .ask(key, false)
                .await
                .ok()
                .and_then(|reply| reply.value);
            if value.as_deref() == expected.map(str::as_bytes) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < PATIENCE, "{key} is {value:?}");
        }
    }
}

#[tokio::test]
async fn a_miss_is_read_from_storage_and_a_change_there_is_seen_within_a_second() {
    let fleet = fleet();
    fleet.put("a", "1").await;
    fleet.becomes("a", Some("1")).await;
    fleet.becomes("nobody", None).await;
    for n in 2..20 {
        let value = n.to_string();
        fleet.put("a", &value).await;
        let took = fleet.becomes("a", Some(&value)).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    fleet.put("nobody", "somebody").await;
    fleet.becomes("nobody", Some("somebody")).await;
    let storage = StorageClient::new(fleet.storage.channel());
    storage
        .delete(&DeleteArgs {
            key: "a".to_owned(),
        })
        .await
        .unwrap();
    fleet.becomes("a", None).await;
    // While nothing changes, storage is asked no more.
    let before = fleet.client.stats(&Empty {}).await.unwrap();
    for _ in 0..100 {
        fleet.ask("nobody", false).await.unwrap();
    }
    let after = fleet.client.stats(&Empty {}).await.unwrap();
    assert!(
        after.reads_through <= before.reads_through + 1,
        "{before:?} {after:?}"
    );
    assert!(after.invalidated >= 1 && after.follows_storage);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_who_miss_the_same_key_are_one_read() {
    let fleet = fleet();
    fleet.put("a", "1").await;
    fleet.becomes("warm", None).await;
    let before = fleet.client.stats(&Empty {}).await.unwrap().reads_through;
    let asking: Vec<_> = (0..100)
        .map(|_| {
            let client = fleet.client.clone();
            let args = GetArgs {
                through: true,
                ..GetArgs::new("a")
            };
            tokio::spawn(async move { client.get(&args).await.unwrap().value })
        })
        .collect();
    for ask in asking {
        assert_eq!(ask.await.unwrap().as_deref(), Some(&b"1"[..]));
    }
    let reads = fleet.client.stats(&Empty {}).await.unwrap().reads_through - before;
    assert_eq!(reads, 1);
}

#[tokio::test]
async fn while_storage_is_away_only_who_takes_stale_values_gets_them() {
    let mut fleet = fleet();
    fleet.put("a", "1").await;
    fleet.becomes("a", Some("1")).await;
    // Until the watch is up: a value read before that would be dropped.
    let deadline = Instant::now() + PATIENCE;
    while !fleet.client.stats(&Empty {}).await.unwrap().follows_storage {
        assert!(Instant::now() < deadline, "it does not follow storage");
    }
    fleet.becomes("a", Some("1")).await;
    fleet.storage.kill();
    while fleet.client.stats(&Empty {}).await.unwrap().follows_storage {
        assert!(Instant::now() < deadline, "it does not notice");
    }
    let stale = fleet.ask("a", true).await.unwrap();
    assert_eq!(stale.value.as_deref(), Some(&b"1"[..]));
    assert!(stale.stale_ms.is_some());
    let refused = fleet.ask("a", false).await;
    check_refused(refused, Code::Unavailable, reason::STORAGE_AWAY);
    check_refused(
        fleet.ask("b", true).await,
        Code::Unavailable,
        reason::STORAGE_AWAY,
    );
    // What was set here is no copy of anything, and stays.
    let set = caching::SetArgs {
        key: "own".to_owned(),
        value: "2".into(),
        ttl_ms: None,
    };
    fleet.client.set(&set).await.unwrap();
    assert!(
        fleet
            .client
            .get(&GetArgs::new("own"))
            .await
            .unwrap()
            .value
            .is_some()
    );
    fleet.storage = start_storage(&fleet.discovery, &fleet.folder);
    fleet.put("a", "3").await;
    fleet.becomes("a", Some("3")).await;
}
