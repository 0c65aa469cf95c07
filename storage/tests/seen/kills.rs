//! Killed in the middle of writes, again and again: what was acknowledged is there.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use storage::{GetArgs, PutArgs, StorageClient};

use crate::common::{client, start};

/// How often it is killed.
const KILLS: u32 = 200;
/// Callers that write all the time, each its own key.
const WRITERS: usize = 4;

/// For each writer, the last number that was acknowledged, and the last that was tried.
type Progress = Arc<Mutex<[(u64, u64); WRITERS]>>;

async fn write(client: StorageClient, writer: usize, progress: Progress) {
    loop {
        let next = {
            let mut progress = progress.lock();
            progress[writer].1 += 1;
            progress[writer].1
        };
        let put = PutArgs::new(format!("w/{writer}"), next.to_string());
        if client.put(&put).await.is_err() {
            return;
        }
        progress.lock()[writer].0 = next;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_200_kills() {
    let folder = tempfile::tempdir().unwrap();
    let progress = Progress::default();
    // A seed, so that a failure can be looked at again: pauses of 0 to 20 ms.
    let mut seed = 0x2545_f491_u32;
    for kill in 0..=KILLS {
        let mut process = start(&folder);
        check_all_there(&client(&process), &progress, kill).await;
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| tokio::spawn(write(client(&process), n, Arc::clone(&progress))))
            .collect();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pause = Duration::from_micros(u64::from(seed >> 16) % 20_000);
        tokio::time::sleep(pause).await; // why: the moment of the kill is what is random here
        process.kill();
        for writer in writers {
            writer.await.unwrap();
        }
    }
    let total: u64 = progress
        .lock()
        .iter()
        .map(|(acknowledged, _)| acknowledged)
        .sum();
    assert!(total > 1_000, "only {total} writes: the test does not test");
}

async fn check_all_there(client: &StorageClient, progress: &Progress, kill: u32) {
    let all = *progress.lock();
    for (writer, (acknowledged, tried)) in all.into_iter().enumerate() {
        let got = client
            .get(&GetArgs::new(format!("w/{writer}")))
            .await
            .unwrap();
        let found = got.item.map_or(0, |item| {
            std::str::from_utf8(&item.value).unwrap().parse().unwrap()
        });
        let told = format!("w/{writer} is {found} of {acknowledged}..={tried} after kill {kill}");
        assert!((acknowledged..=tried).contains(&found), "{told}");
    }
}
