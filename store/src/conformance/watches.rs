//! Promises about watches: ordered, unique, without a gap, whole, resumable, bounded.

use std::sync::Arc;
use std::time::Duration;

use super::{Fixture, commit, head, next, put, soon, text};
use crate::{Change, Event, Keys, Op, Revision, Store, Txn, Watch, WatchError};

fn shown(change: &Change) -> Vec<String> {
    let show = |event: &Event| match event {
        Event::Put(item) => format!("{}={}", text(&item.key), text(&item.value)),
        Event::Delete { key } => format!("{} gone", text(key)),
    };
    change.events.iter().map(show).collect()
}

/// Some write pairs of keys, some watch: every pair is told once, whole, in order of revisions.
pub async fn a_watch_tells_each_change_once_in_order_and_whole<F: Fixture>(fixture: &F) {
    const WRITERS: u64 = 6;
    const WRITES: u64 = 40;
    let store = Arc::new(fixture.open().await);
    let start = head(&*store).await;
    let write = |store: Arc<F::Store>, writer: u64| async move {
        let mut revisions = Vec::new();
        for write in 0..WRITES {
            let value = format!("{writer}-{write}");
            let left = Op::put(format!("w/{writer}/left"), value.clone());
            let right = Op::put(format!("w/{writer}/right"), value);
            revisions.push(commit(&*store, Txn::of(vec![left, right])).await.revision);
        }
        revisions
    };
    let watch = |store: Arc<F::Store>| async move {
        let mut watch = store
            .watch(Keys::prefix("w/"), start.next())
            .await
            .expect("the watch begins");
        let mut told = Vec::new();
        while (told.len() as u64) < WRITERS * WRITES {
            let change = next(&mut watch).await;
            assert!(
                watch.position() > change.revision,
                "what was told lies behind"
            );
            told.push(change);
        }
        told
    };
    let readers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(watch(Arc::clone(&store))))
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(Arc::clone(&store), writer)))
        .collect();
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.expect("the writer ends well"));
    }
    acknowledged.sort();
    for reader in readers {
        let told = reader.await.expect("the reader ends well");
        let revisions: Vec<Revision> = told.iter().map(|change| change.revision).collect();
        assert_eq!(revisions, acknowledged, "ordered, unique, without a gap");
        for change in &told {
            let [Event::Put(left), Event::Put(right)] = change.events.as_slice() else {
                panic!("a revision was split: {change:?}");
            };
            assert_eq!(left.value, right.value, "of one transaction");
            assert_eq!(left.modified, change.revision);
        }
    }
}

/// What happened from the given revision on is told first, then what happens.
pub async fn a_watch_begins_in_the_past<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    put(&store, "a", "1").await;
    let from = put(&store, "a", "2").await;
    store.delete("a").await.expect("the delete is taken");
    let mut watch = store
        .watch(Keys::prefix("a"), from)
        .await
        .expect("the watch begins");
    assert_eq!(
        shown(&next(&mut watch).await),
        ["a=2"],
        "the revision itself belongs"
    );
    assert_eq!(shown(&next(&mut watch).await), ["a gone"]);
    put(&store, "a", "3").await;
    assert_eq!(shown(&next(&mut watch).await), ["a=3"]);
}

/// A watch from a revision that does not exist yet waits for it, and tells nothing older.
pub async fn a_watch_from_the_future_does_not_tell_the_past<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let now = put(&store, "a", "1").await;
    let from = Revision(now.0 + 3);
    let mut watch = store
        .watch(Keys::prefix(""), from)
        .await
        .expect("the watch begins");
    for value in ["2", "3", "4"] {
        put(&store, "a", value).await;
    }
    let change = next(&mut watch).await;
    assert_eq!(
        (change.revision, shown(&change)),
        (from, vec!["a=4".to_owned()])
    );
}

/// Other keys of the same transaction are left out; a revision without any of its keys, too.
pub async fn a_watch_tells_of_its_keys_only<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let from = head(&store).await.next();
    let mut watch = store
        .watch(Keys::prefix("a/"), from)
        .await
        .expect("the watch begins");
    let span = Keys::Span {
        start: "b".into(),
        end: "c".into(),
    };
    let mut other = store.watch(span, from).await.expect("the watch begins");
    put(&store, "a", "no").await;
    commit(
        &store,
        Txn::of(vec![Op::put("a/1", "yes"), Op::put("b", "no")]),
    )
    .await;
    put(&store, "b/1", "no").await;
    put(&store, "a/2", "yes").await;
    assert_eq!(shown(&next(&mut watch).await), ["a/1=yes"]);
    assert_eq!(shown(&next(&mut watch).await), ["a/2=yes"]);
    assert_eq!(shown(&next(&mut other).await), ["b=no"]);
    assert_eq!(shown(&next(&mut other).await), ["b/1=no"]);
}

/// The position of one watch is where the next one takes over.
pub async fn a_watch_goes_on_where_another_ended<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let mut from = head(&store).await.next();
    for value in ["1", "2", "3", "4"] {
        put(&store, "a", value).await;
    }
    for wanted in ["a=1", "a=2", "a=3", "a=4"] {
        let mut watch = store
            .watch(Keys::prefix("a"), from)
            .await
            .expect("the watch begins");
        assert_eq!(shown(&next(&mut watch).await), [wanted]);
        from = watch.position();
    }
}

/// Nobody waits for a reader that does not read, and it finds everything later.
pub async fn a_stalled_watch_catches_up<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let from = head(&store).await.next();
    let mut watch = store
        .watch(Keys::prefix("a"), from)
        .await
        .expect("the watch begins");
    for index in 0..300 {
        put(&store, "a", &index.to_string()).await;
    }
    for index in 0..300 {
        assert_eq!(shown(&next(&mut watch).await), [format!("a={index}")]);
    }
}

/// A reader that slept through a compaction is told so, instead of being given a gap.
pub async fn a_stalled_watch_is_told_that_it_was_compacted<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let from = head(&store).await.next();
    let mut watch = store
        .watch(Keys::prefix("a"), from)
        .await
        .expect("the watch begins");
    for index in 0..50 {
        put(&store, "a", &index.to_string()).await;
    }
    let at = Revision(from.0 + 40);
    store.compact(at).await.expect("the compaction is done");
    // An engine that pushes may have some on the way already; what it tells has no gap.
    let mut wanted = from;
    let error = loop {
        match soon("an answer", watch.next()).await {
            Ok(change) => assert_eq!(change.revision, wanted, "no gap"),
            Err(error) => break error,
        }
        wanted = wanted.next();
        if wanted > Revision(from.0 + 49) {
            return;
        }
    };
    assert!(matches!(error, WatchError::Compacted { .. }), "{error}");
    let again = soon("an answer", watch.next()).await;
    assert_eq!(again, Err(error), "it stays over");
}

/// `next` is cancel safe.
pub async fn a_dropped_call_of_next_loses_nothing<F: Fixture>(fixture: &F) {
    let store = Arc::new(fixture.open().await);
    let from = head(&*store).await.next();
    let mut watch = store
        .watch(Keys::prefix("a"), from)
        .await
        .expect("the watch begins");
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for index in 0..60 {
                put(&*store, "a", &index.to_string()).await;
            }
        }
    });
    let mut told = 0;
    while told < 60 {
        // Most of these end before there is anything to tell.
        let patience = Duration::from_micros(told * 7 % 200);
        if let Ok(change) = tokio::time::timeout(patience, watch.next()).await {
            let change = change.expect("the watch goes on");
            assert_eq!(shown(&change), [format!("a={told}")]);
            told += 1;
        }
    }
    writer.await.expect("the writer ends well");
}
