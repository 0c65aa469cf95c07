//! Killed in the middle of writes, again and again: what was acknowledged is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::{ADMIN, named, start, with};
use parking_lot::Mutex;
use security::{AuditArgs, ListTokensArgs, RevokeTokenArgs, SecurityClient};

/// How often it is killed.
const KILLS: u32 = 200;
/// Callers that write all the time.
const WRITERS: usize = 4;

/// Ids of tokens that were acknowledged, and whether their revocation was.
type Acknowledged = Arc<Mutex<BTreeMap<String, bool>>>;

async fn write(client: SecurityClient, acknowledged: Acknowledged, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let Ok(made) = client.create_token(&named("t", &["a:b:read"])).await else {
            return;
        };
        acknowledged.lock().insert(made.id.clone(), false);
        let id = made.id.clone();
        if client.revoke_token(&RevokeTokenArgs { id }).await.is_err() {
            return;
        }
        acknowledged.lock().insert(made.id, true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_200_kills() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = Acknowledged::default();
    // A seed, so that a failure can be looked at again: pauses of 0 to 20 ms.
    let mut seed = 0x9e37_79b9_u32;
    for kill in 0..KILLS {
        let mut process = start(&folder);
        check_all_there(&with(&process, ADMIN), &acknowledged, kill).await;
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let client = with(&process, ADMIN);
                tokio::spawn(write(client, Arc::clone(&acknowledged), Arc::clone(&stop)))
            })
            .collect();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pause = Duration::from_micros(u64::from(seed >> 16) % 20_000);
        tokio::time::sleep(pause).await; // why: the moment of the kill is what is random here
        process.kill();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.await.unwrap();
        }
    }
    let process = start(&folder);
    let client = with(&process, ADMIN);
    check_all_there(&client, &acknowledged, KILLS).await;
    let count = acknowledged.lock().len();
    assert!(count > 200, "only {count} tokens: the test does not test");
    check_chain(&client).await;
}

async fn check_all_there(client: &SecurityClient, acknowledged: &Acknowledged, kill: u32) {
    let list = client
        .list_tokens(&ListTokensArgs { all: true })
        .await
        .unwrap();
    let there: BTreeMap<&str, bool> = list
        .tokens
        .iter()
        .map(|token| (token.id.as_str(), token.revoked_ms.is_some()))
        .collect();
    for (id, revoked) in acknowledged.lock().iter() {
        let found = there.get(id.as_str());
        assert!(found.is_some(), "{id} is missing after kill {kill}");
        assert!(
            !revoked || found == Some(&true),
            "{id} is not revoked after kill {kill}"
        );
    }
}

/// Each entry is there, with its number, behind the one before.
async fn check_chain(client: &SecurityClient) {
    let (mut before, mut number, mut after) = ("0".repeat(64), 0, 0);
    loop {
        let args = AuditArgs {
            after,
            ..AuditArgs::default()
        };
        let page = client.audit(&args).await.unwrap();
        for entry in &page.entries {
            number += 1;
            assert_eq!(entry.number, number);
            assert!(entry.follows(&before), "{entry:?}");
            before.clone_from(&entry.hash);
        }
        let Some(next) = page.next else { break };
        after = next;
    }
    assert!(number > 200, "only {number} entries");
}
