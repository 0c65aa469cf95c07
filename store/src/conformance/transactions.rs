//! Promises about transactions.

use std::sync::Arc;

use super::{Fixture, commit, get, head, put, text, value};
use crate::limits::{KEY_BYTES_MAX, TXN_BYTES_MAX, TXN_OPS_MAX, VALUE_BYTES_MAX};
use crate::{CommitError, Compare, Field, Is, LimitError, Op, OpResult, Revision, Store, Txn};

/// One more with every change, whatever its kind.
pub async fn every_change_takes_the_next_revision<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let first = put(&store, "a", "1").await;
    assert_eq!(
        put(&store, "a", "1").await,
        first.next(),
        "also the same value again"
    );
    let deleted = store.delete("a").await.expect("the delete is taken");
    assert_eq!(deleted, first.next().next());
    assert_eq!(head(&store).await, deleted);
}

/// All that a transaction does has one revision.
pub async fn a_transaction_is_one_revision<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let before = put(&store, "c", "0").await;
    let ops = vec![Op::put("a", "1"), Op::put("b", "1"), Op::delete("c")];
    let done = commit(&store, Txn::of(ops)).await;
    assert_eq!(done.revision, before.next());
    assert_eq!(
        done.results,
        [
            OpResult::Put,
            OpResult::Put,
            OpResult::Delete { existed: true }
        ]
    );
    for key in ["a", "b"] {
        let found = get(&store, key).await.expect("the key is there");
        assert_eq!(found.modified, done.revision);
    }
    assert_eq!(get(&store, "c").await, None);
}

/// A read, a delete of nothing, a failed comparison: no revision is spent on them.
pub async fn what_changes_nothing_takes_no_revision<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let before = put(&store, "a", "1").await;
    let nothing = [
        Txn::of(vec![Op::get("a")]),
        Txn::of(vec![Op::delete("b")]),
        Txn::of(vec![Op::put("a", "2")]).when(Compare::absent("a")),
        Txn::default(),
    ];
    for txn in nothing {
        assert_eq!(commit(&store, txn).await.revision, before);
    }
    assert_eq!(value(&store, "a").await.as_deref(), Some("1"));
    assert_eq!(head(&store).await, before);
}

/// Every field, with every relation, on a key that is there and on one that is not.
pub async fn each_comparison_does_what_it_says<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let created = put(&store, "a", "m").await;
    let modified = put(&store, "a", "n").await;
    let field = |key: &str, is, field| Compare {
        key: key.to_owned().into(),
        is,
        field,
    };
    let value = |is, with: &'static str| field("a", is, Field::Value(with.into()));
    let cases = [
        (Compare::exists("a"), true),
        (Compare::exists("b"), false),
        (Compare::absent("a"), false),
        (Compare::absent("b"), true),
        (Compare::value("a", "n"), true),
        (Compare::value("a", "m"), false),
        (Compare::value("b", ""), false),
        (value(Is::NotEqual, "m"), true),
        (value(Is::Greater, "m"), true),
        (value(Is::Greater, "n"), false),
        (value(Is::Less, "o"), true),
        (Compare::unchanged("a", modified), true),
        (Compare::unchanged("a", created), false),
        (Compare::unchanged("b", Revision(0)), true),
        (Compare::created_at("a", created), true),
        (Compare::created_at("a", modified), false),
        (field("a", Is::Greater, Field::Modified(created)), true),
        (field("a", Is::Less, Field::Modified(modified)), false),
        (field("a", Is::Equal, Field::Version(2)), true),
        (field("a", Is::Less, Field::Version(2)), false),
        (field("a", Is::NotEqual, Field::Version(3)), true),
    ];
    for (compare, holds) in cases {
        let done = commit(&store, Txn::default().when(compare.clone())).await;
        assert_eq!(done.succeeded, holds, "{compare:?}");
        let done = commit(
            &store,
            Txn::default().when(Compare::exists("a")).when(compare),
        )
        .await;
        assert_eq!(done.succeeded, holds, "all have to hold");
    }
}

/// One of the two branches is done, never both, never none.
pub async fn a_failed_comparison_does_the_other_branch<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let claim = |by: &'static str| {
        Txn::of(vec![Op::put("leader", by)])
            .when(Compare::absent("leader"))
            .or_else(Op::get("leader"))
            .or_else(Op::put("lost", by))
    };
    let first = commit(&store, claim("a")).await;
    assert!(first.succeeded);
    let second = commit(&store, claim("b")).await;
    assert!(!second.succeeded);
    let [OpResult::Get(Some(found)), OpResult::Put] = second.results.as_slice() else {
        panic!("the other branch has two results: {:?}", second.results);
    };
    assert_eq!(text(&found.value), "a");
    assert_eq!(value(&store, "lost").await.as_deref(), Some("b"));
    assert_eq!(second.revision, first.revision.next());
}

/// Operations are done in their order.
pub async fn operations_see_those_before_them<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let ops = vec![Op::get("a"), Op::put("a", "1"), Op::get("a")];
    let done = commit(&store, Txn::of(ops)).await;
    let [OpResult::Get(before), OpResult::Put, OpResult::Get(after)] = done.results.as_slice()
    else {
        panic!("three results in order: {:?}", done.results);
    };
    assert_eq!(*before, None);
    assert_eq!(*after, get(&store, "a").await);
}

/// A key that was deleted begins anew.
pub async fn versions_count_from_creation<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let created = put(&store, "a", "1").await;
    put(&store, "a", "2").await;
    let found = get(&store, "a").await.expect("the key is there");
    assert_eq!((found.version, found.created), (2, created));
    store.delete("a").await.expect("the delete is taken");
    let again = put(&store, "a", "3").await;
    let found = get(&store, "a").await.expect("the key is there");
    assert_eq!((found.version, found.created), (1, again));
}

/// What is too large or of a wrong shape is refused with its limit; what just fits is taken.
pub async fn limits_are_refused_and_write_nothing<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let before = put(&store, "a", "1").await;
    let puts = |count: usize, bytes: usize| {
        let value = vec![0; bytes];
        let put = |index| Op::put(format!("k{index}"), value.clone());
        Txn::of((0..count).map(put).collect())
    };
    let long = |bytes: usize| Txn::of(vec![Op::put(vec![b'k'; bytes], "")]);
    let twice = Txn::of(vec![Op::put("a", "2"), Op::delete("a")]);
    for txn in [
        puts(1, VALUE_BYTES_MAX + 1),
        puts(TXN_OPS_MAX + 1, 1),
        puts(2, TXN_BYTES_MAX / 2),
        long(KEY_BYTES_MAX + 1),
        long(0),
        twice,
    ] {
        let refused = store.commit(txn).await;
        assert!(
            matches!(refused, Err(CommitError::Refused(_))),
            "{refused:?}"
        );
    }
    let empty = store.put("", "x").await;
    assert_eq!(empty, Err(CommitError::Refused(LimitError::KeyEmpty)));
    assert_eq!(head(&store).await, before, "nothing was written");
    for txn in [
        puts(1, VALUE_BYTES_MAX),
        puts(TXN_OPS_MAX, 1),
        long(KEY_BYTES_MAX),
    ] {
        commit(&store, txn).await;
    }
}

/// A counter that many raise with compare-and-set counts every one of them.
pub async fn of_many_who_compare_none_loses_an_update<F: Fixture>(fixture: &F) {
    const WRITERS: usize = 8;
    const RAISES: u64 = 25;
    let store = Arc::new(fixture.open().await);
    put(&*store, "count", "0").await;
    let raise = |store: Arc<F::Store>| async move {
        let mut done = 0;
        while done < RAISES {
            let found = get(&*store, "count").await.expect("the key is there");
            let count: u64 = text(&found.value).parse().expect("a number");
            let txn = Txn::of(vec![Op::put("count", (count + 1).to_string())])
                .when(Compare::unchanged("count", found.modified));
            done += u64::from(commit(&*store, txn).await.succeeded);
        }
    };
    let tasks: Vec<_> = (0..WRITERS)
        .map(|_| tokio::spawn(raise(Arc::clone(&store))))
        .collect();
    for task in tasks {
        task.await.expect("the task ends well");
    }
    let found = get(&*store, "count").await.expect("the key is there");
    assert_eq!(text(&found.value), (WRITERS as u64 * RAISES).to_string());
    assert_eq!(found.version, WRITERS as u64 * RAISES + 1);
}
