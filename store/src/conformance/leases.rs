//! Promises about leases.

use std::time::{Duration, Instant};

use super::{Fixture, commit, get, head, next, put, value};
use crate::{CommitError, Keys, LeaseError, LeaseId, Op, Store, Txn};

/// As short as an engine has to do it.
const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(60);

async fn grant<S: Store>(store: &S, ttl: Duration) -> LeaseId {
    let lease = store.grant(ttl).await.expect("the lease is granted");
    assert!(lease.ttl >= ttl, "at least what was asked for");
    lease.id
}

async fn put_leased<S: Store>(store: &S, key: &'static str, id: LeaseId) {
    commit(store, Txn::of(vec![Op::put_leased(key, "x", id)])).await;
}

/// All its keys, in one revision, no earlier than its time.
pub async fn the_keys_of_a_lease_vanish_together_and_not_early<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let id = grant(&store, SHORT).await;
    let kept = Instant::now();
    store.keep_alive(id).await.expect("the lease lives");
    for key in ["l/1", "l/2", "l/3"] {
        put_leased(&store, key, id).await;
    }
    put(&store, "l/other", "x").await;
    assert_eq!(
        get(&store, "l/1").await.and_then(|item| item.lease),
        Some(id)
    );
    let from = head(&store).await.next();
    let mut watch = store
        .watch(Keys::prefix("l/"), from)
        .await
        .expect("the watch begins");
    let change = next(&mut watch).await;
    assert!(kept.elapsed() >= SHORT, "gone after {:?}", kept.elapsed());
    let keys: Vec<_> = change
        .events
        .iter()
        .map(|event| event.key().clone())
        .collect();
    assert_eq!(keys, ["l/1", "l/2", "l/3"], "all in one revision");
    assert_eq!(get(&store, "l/1").await, None);
    assert_eq!(value(&store, "l/other").await.as_deref(), Some("x"));
}

/// For as long as somebody keeps it.
pub async fn a_lease_that_is_kept_alive_stays<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let id = grant(&store, SHORT).await;
    put_leased(&store, "a", id).await;
    let begun = Instant::now();
    let mut tick = tokio::time::interval(SHORT / 5);
    while begun.elapsed() < SHORT * 2 {
        tick.tick().await;
        store.keep_alive(id).await.expect("the lease lives");
        assert!(
            get(&store, "a").await.is_some(),
            "after {:?}",
            begun.elapsed()
        );
    }
}

/// At once, and the answer is the revision that did it.
pub async fn a_revoked_lease_takes_its_keys_in_one_revision<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let id = grant(&store, LONG).await;
    let other = grant(&store, LONG).await;
    for key in ["a", "b"] {
        put_leased(&store, key, id).await;
    }
    put_leased(&store, "c", other).await;
    let before = head(&store).await;
    let revision = store.revoke(id).await.expect("the lease lives");
    assert_eq!(revision, before.next());
    assert_eq!(
        (get(&store, "a").await, get(&store, "b").await),
        (None, None)
    );
    assert!(
        get(&store, "c").await.is_some(),
        "the other lease's key stays"
    );
}

/// Whoever comes too late is told so, and nothing of the transaction is done.
pub async fn an_ended_lease_takes_no_keys_and_no_keep_alive<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let id = grant(&store, LONG).await;
    store.revoke(id).await.expect("the lease lives");
    let txn = Txn::of(vec![Op::put("a", "1"), Op::put_leased("b", "1", id)]);
    assert_eq!(store.commit(txn).await, Err(CommitError::LeaseNotFound(id)));
    assert_eq!(get(&store, "a").await, None, "all or nothing");
    assert_eq!(store.keep_alive(id).await, Err(LeaseError::NotFound(id)));
    assert_eq!(store.revoke(id).await, Err(LeaseError::NotFound(id)));
    let never = LeaseId(u64::from(u32::MAX));
    assert_eq!(
        store.keep_alive(never).await,
        Err(LeaseError::NotFound(never))
    );
}

/// The last put says which lease a key has.
pub async fn a_key_put_again_without_its_lease_stays<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let (first, second) = (grant(&store, LONG).await, grant(&store, LONG).await);
    for key in ["a", "b"] {
        put_leased(&store, key, first).await;
    }
    put(&store, "a", "free").await;
    put_leased(&store, "b", second).await;
    store.revoke(first).await.expect("the lease lives");
    assert_eq!(value(&store, "a").await.as_deref(), Some("free"));
    assert!(get(&store, "b").await.is_some());
    store.revoke(second).await.expect("the lease lives");
    assert_eq!(get(&store, "b").await, None);
}

/// Not even after a restart: an old owner must not keep a new owner's lease.
pub async fn no_lease_is_named_twice<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let first = grant(&store, LONG).await;
    let second = grant(&store, LONG).await;
    assert_ne!(first, second);
    store.revoke(second).await.expect("the lease lives");
    let store = fixture.restart(store).await;
    let third = grant(&store, LONG).await;
    assert!(third != first && third != second, "{third} is new");
}
