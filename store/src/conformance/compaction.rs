//! Promises about compaction.

use super::{Fixture, get, head, next, pairs, put, range, value};
use crate::{CompactError, Keys, Range, ReadError, Revision, Store, WatchError};

/// The compacted revision can be read, and later ones can be read and watched.
pub async fn a_compaction_keeps_what_is_at_it_and_after_it<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    put(&store, "a", "1").await;
    put(&store, "b", "1").await;
    let at = put(&store, "a", "2").await;
    let after = put(&store, "a", "3").await;
    assert_eq!(store.compact(at).await, Ok(at));
    let wanted = pairs(&[("a", "2"), ("b", "1")]);
    assert_eq!(range(&store, Range::prefix("").at(at)).await, wanted);
    let mut watch = store
        .watch(Keys::prefix(""), at.next())
        .await
        .expect("it is kept");
    assert_eq!(next(&mut watch).await.revision, after);
    assert_eq!(value(&store, "a").await.as_deref(), Some("3"));
    let found = get(&store, "a").await.expect("the key is there");
    assert_eq!(found.version, 3, "what is forgotten still counts");
}

/// An error that says where the present begins, never an answer with holes.
pub async fn what_was_compacted_is_neither_read_nor_watched<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let first = put(&store, "a", "1").await;
    put(&store, "a", "2").await;
    let at = put(&store, "a", "3").await;
    store.compact(at).await.expect("the compaction is done");
    let read = store.range(Range::prefix("").at(first)).await;
    assert_eq!(read, Err(ReadError::Compacted { wanted: first, at }));
    let error = match store.watch(Keys::prefix(""), first).await {
        Err(error) => error,
        Ok(mut watch) => {
            use crate::Watch;
            watch.next().await.expect_err("it was compacted")
        }
    };
    assert_eq!(error, WatchError::Compacted { wanted: first, at });
}

/// Neither the key comes back, nor does its past keep it in a later compaction.
pub async fn a_delete_at_the_compacted_revision_stays_deleted<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    put(&store, "a", "1").await;
    let deleted = store.delete("a").await.expect("the delete is taken");
    let later = put(&store, "b", "1").await;
    store
        .compact(deleted)
        .await
        .expect("the compaction is done");
    assert_eq!(
        range(&store, Range::prefix("").at(deleted)).await,
        pairs(&[])
    );
    store.compact(later).await.expect("the compaction is done");
    let store = fixture.restart(store).await;
    assert_eq!(range(&store, Range::prefix("")).await, pairs(&[("b", "1")]));
    let again = put(&store, "a", "2").await;
    let found = get(&store, "a").await.expect("the key is there");
    assert_eq!((found.created, found.version), (again, 1));
}

/// Only what has happened can be forgotten.
pub async fn a_compaction_of_the_future_is_refused<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    put(&store, "a", "1").await;
    let newest = head(&store).await;
    let wanted = Revision(newest.0 + 5);
    let refused = store.compact(wanted).await;
    assert_eq!(refused, Err(CompactError::Future { wanted, newest }));
}

/// What is asked for is done already.
pub async fn compacting_again_further_back_changes_nothing<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let first = put(&store, "a", "1").await;
    let at = put(&store, "a", "2").await;
    assert_eq!(store.compact(at).await, Ok(at));
    assert_eq!(
        store.compact(first).await,
        Ok(at),
        "where it is compacted to"
    );
    assert_eq!(store.compact(at).await, Ok(at));
    let status = store.status().await.expect("the status is read");
    assert_eq!(
        (status.compacted, status.revision),
        (at, at),
        "no revision is spent on it"
    );
}
