//! Killed in the middle of writes, again and again: what was acknowledged is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use configuration::{ConfigurationClient, GetArgs, HistoryArgs, ListArgs};
use parking_lot::Mutex;

use crate::common::{client, set, start};

/// How often it is killed.
const KILLS: u32 = 200;
/// Callers that write all the time, each its own key.
const WRITERS: usize = 4;

/// By key, the last value that was acknowledged, with its revision.
type Acknowledged = Arc<Mutex<BTreeMap<String, (u64, u64)>>>;

/// Counts up, from what may have been written last.
async fn write(
    client: ConfigurationClient,
    key: String,
    mut n: u64,
    acknowledged: Acknowledged,
) -> u64 {
    loop {
        n += 1;
        let Ok(set) = client.set(&set(&key, &n.to_string())).await else {
            return n;
        };
        let before = acknowledged.lock().insert(key.clone(), (n, set.revision));
        let older = before.is_none_or(|(_, revision)| revision < set.revision);
        assert!(older, "{key} went back from {before:?} to {}", set.revision);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_200_kills() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = Acknowledged::default();
    let mut counts = [0; WRITERS];
    // A seed, so that a failure can be looked at again: pauses of 0 to 20 ms.
    let mut seed = 0x51ed_270b_u32;
    for kill in 0..KILLS {
        let mut process = start(&folder);
        check_all_there(&client(&process), &acknowledged, &counts, kill).await;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (client, key) = (client(&process), format!("w/{writer}"));
                tokio::spawn(write(
                    client,
                    key,
                    counts[writer],
                    Arc::clone(&acknowledged),
                ))
            })
            .collect();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pause = Duration::from_micros(u64::from(seed >> 16) % 20_000);
        tokio::time::sleep(pause).await; // why: the moment of the kill is what is random here
        process.kill();
        for (writer, task) in writers.into_iter().enumerate() {
            counts[writer] = task.await.unwrap();
        }
    }
    let process = start(&folder);
    let client = client(&process);
    check_all_there(&client, &acknowledged, &counts, KILLS).await;
    let total: u64 = counts.iter().sum();
    assert!(total > 1_000, "only {total} writes: the test does not test");
    let keys: Vec<String> = acknowledged.lock().keys().cloned().collect();
    for key in keys {
        let history = client.history(&HistoryArgs { key }).await.unwrap().entries;
        assert!(
            history
                .windows(2)
                .all(|pair| pair[0].number == pair[1].number + 1)
        );
    }
}

async fn check_all_there(
    client: &ConfigurationClient,
    acknowledged: &Acknowledged,
    tried: &[u64; WRITERS],
    kill: u32,
) {
    let newest = client.list(&ListArgs::default()).await.unwrap().revision;
    for (writer, tried) in tried.iter().enumerate() {
        let key = format!("w/{writer}");
        let Some((value, revision)) = acknowledged.lock().get(&key).copied() else {
            continue;
        };
        assert!(newest >= revision, "revisions went back after kill {kill}");
        let got = client.get(&GetArgs { key: key.clone() }).await.unwrap();
        // What was tried last may have been written although its answer was lost.
        let found: u64 = got.value.parse().unwrap();
        let told = format!("{key} is {found}, {value} was acknowledged, after kill {kill}");
        assert!((value..=*tried).contains(&found), "{told}");
        assert!(got.revision >= revision, "{key} is older after kill {kill}");
    }
}
