//! Drops what storage has another value for.

use std::sync::Arc;
use std::time::Duration;

use storage::{Keys, StorageClient, StorageEvent, WatchArgs};
use tokio::time::{sleep, timeout};

use crate::cache::Held;

/// Between two attempts to watch.
const AGAIN: Duration = Duration::from_millis(100);
/// Storage says something at least every five seconds: a watch that is silent longer is lost.
const SILENCE_MAX: Duration = Duration::from_secs(8);

/// Watches all of storage, for ever.
pub(crate) async fn follow(held: Arc<Held>, storage: StorageClient) {
    loop {
        follow_once(&held, &storage).await;
        held.sees_storage(false);
        sleep(AGAIN).await;
    }
}

async fn follow_once(held: &Held, storage: &StorageClient) {
    let args = WatchArgs {
        keys: Keys::Prefix(String::new()),
        from: None,
    };
    let Ok(mut stream) = storage.watch(&args).await else {
        return;
    };
    let mut begun = false;
    while let Ok(Some(Ok(event))) = timeout(SILENCE_MAX, stream.next()).await {
        if !begun {
            // From here on every change is told. What was read before may be old.
            held.sees_storage(true);
            begun = true;
        }
        if let StorageEvent::Changed { put, deleted, .. } = event {
            for key in put.iter().map(|item| &item.key).chain(&deleted) {
                held.changed(key).await;
            }
        }
    }
}
