//! Promises that outlive the process.

use std::time::Duration;

use super::{Fixture, commit, get, head, next, pairs, put, range};
use crate::{BackupError, Keys, Op, Range, Store, Txn};

/// Keys, values, revisions and versions are what they were; new revisions go on from there.
pub async fn a_restart_loses_nothing_and_reuses_nothing<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    for index in 0..20 {
        put(&store, &format!("k/{}", index % 7), &index.to_string()).await;
    }
    store.delete("k/3").await.expect("the delete is taken");
    let before = store
        .range(Range::prefix(""))
        .await
        .expect("the range is read");
    let store = fixture.restart(store).await;
    let after = store
        .range(Range::prefix(""))
        .await
        .expect("the range is read");
    assert_eq!(after, before);
    assert_eq!(put(&store, "k/3", "new").await, before.revision.next());
}

/// Earlier revisions are read, and watched, as before.
pub async fn the_past_outlives_a_restart<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let first = put(&store, "a", "1").await;
    put(&store, "a", "2").await;
    let compacted = put(&store, "b", "1").await;
    let last = put(&store, "a", "3").await;
    store
        .compact(compacted)
        .await
        .expect("the compaction is done");
    let store = fixture.restart(store).await;
    let wanted = pairs(&[("a", "2"), ("b", "1")]);
    assert_eq!(range(&store, Range::prefix("").at(compacted)).await, wanted);
    let mut watch = store
        .watch(Keys::prefix("a"), compacted.next())
        .await
        .expect("it is kept");
    assert_eq!(next(&mut watch).await.revision, last);
    assert!(
        store.range(Range::prefix("").at(first)).await.is_err(),
        "it stays compacted"
    );
}

/// And their time begins anew.
pub async fn leases_outlive_a_restart_with_their_keys<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let lease = store
        .grant(Duration::from_secs(60))
        .await
        .expect("the lease is granted");
    let gone = store
        .grant(Duration::from_secs(60))
        .await
        .expect("the lease is granted");
    commit(&store, Txn::of(vec![Op::put_leased("a", "1", lease.id)])).await;
    store.revoke(gone.id).await.expect("the lease lives");
    let store = fixture.restart(store).await;
    assert!(
        store.keep_alive(gone.id).await.is_err(),
        "what ended stays ended"
    );
    let kept = store.keep_alive(lease.id).await.expect("the lease lives");
    assert_eq!(kept.ttl, lease.ttl);
    assert!(get(&store, "a").await.is_some());
    store.revoke(lease.id).await.expect("the lease lives");
    assert_eq!(get(&store, "a").await, None);
}

/// With all there is at its revision; and what is there already is left alone.
pub async fn a_backup_is_a_new_file_and_never_replaces_one<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    put(&store, "a", "1").await;
    let path = fixture.free_path();
    let revision = store.backup(&path).await.expect("the backup is made");
    assert_eq!(revision, head(&store).await);
    let size = std::fs::metadata(&path).expect("the file is there").len();
    assert!(size > 0);
    put(&store, "a", "2").await;
    let refused = store.backup(&path).await;
    assert!(
        matches!(refused, Err(BackupError::Exists { .. })),
        "{refused:?}"
    );
    assert_eq!(
        std::fs::metadata(&path).expect("the file is there").len(),
        size
    );
}
