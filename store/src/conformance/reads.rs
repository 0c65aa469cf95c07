//! Promises about reads.

use super::{Fixture, get, head, pairs, put, range, text, value};
use crate::{Range, ReadError, Store};

/// What was put is there, with where it came from.
pub async fn a_put_is_read_back<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let revision = put(&store, "a", "1").await;
    let found = get(&store, "a").await.expect("the key is there");
    assert_eq!(text(&found.value), "1");
    assert_eq!((found.created, found.modified), (revision, revision));
    assert_eq!((found.version, found.lease), (1, None));
}

/// A key that was never put, or was deleted, is not found.
pub async fn what_was_never_put_is_not_found<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    assert_eq!(get(&store, "a").await, None);
    put(&store, "a", "1").await;
    store.delete("a").await.expect("the delete is taken");
    assert_eq!(get(&store, "a").await, None);
}

/// Neither keys nor values have to be text; values may be empty.
pub async fn keys_and_values_are_any_bytes<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let (key, bytes): (&[u8], &[u8]) = (&[0xff, 0, 0xff], &[0, 255, 0]);
    store.put(key, bytes).await.expect("the put is taken");
    store.put("empty", "").await.expect("the put is taken");
    let found = store.get(key).await.expect("the key is read");
    assert_eq!(found.map(|item| item.value).as_deref(), Some(bytes));
    assert_eq!(value(&store, "empty").await.as_deref(), Some(""));
    let found = store
        .range(Range::prefix(vec![0xff]))
        .await
        .expect("the range is read");
    assert_eq!(
        found.items.len(),
        1,
        "a prefix of the highest byte has no next one"
    );
}

/// In the order of bytes, and nothing that does not begin with the prefix.
pub async fn a_range_is_in_order_and_holds_its_prefix_only<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    for key in ["b/2", "a", "b/1", "b", "b/10", "c", "b0"] {
        put(&store, key, "x").await;
    }
    let found = range(&store, Range::prefix("b/")).await;
    assert_eq!(found, pairs(&[("b/1", "x"), ("b/10", "x"), ("b/2", "x")]));
    assert_eq!(range(&store, Range::prefix("")).await.len(), 7);
}

/// The start belongs to a span, the end does not.
pub async fn a_span_ends_before_its_end<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    for key in ["a", "b", "c", "d"] {
        put(&store, key, "x").await;
    }
    let found = range(&store, Range::span("b", "d")).await;
    assert_eq!(found, pairs(&[("b", "x"), ("c", "x")]));
    assert!(range(&store, Range::span("d", "b")).await.is_empty());
}

/// Pages do not see what is written while somebody turns them.
pub async fn pages_follow_each_other_at_one_revision<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    for key in ["a", "b", "c", "d", "e"] {
        put(&store, key, "old").await;
    }
    let mut question = Some(Range::prefix("").limit(2));
    let mut found = Vec::new();
    while let Some(page) = question {
        let answer = store.range(page.clone()).await.expect("the page is read");
        assert!(answer.items.len() <= 2);
        found.extend(
            answer
                .items
                .iter()
                .map(|item| text(&item.key) + "=" + &text(&item.value)),
        );
        question = page.after(&answer);
        put(&store, "d", "new").await;
        put(&store, "bb", "new").await;
    }
    assert_eq!(found, ["a=old", "b=old", "c=old", "d=old", "e=old"]);
}

/// A revision is read as it was when it was the newest.
pub async fn the_past_is_read_as_it_was<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    let first = put(&store, "a", "1").await;
    let second = put(&store, "b", "2").await;
    let third = store.delete("a").await.expect("the delete is taken");
    let fourth = put(&store, "a", "4").await;
    for (at, wanted) in [
        (first, pairs(&[("a", "1")])),
        (second, pairs(&[("a", "1"), ("b", "2")])),
        (third, pairs(&[("b", "2")])),
        (fourth, pairs(&[("a", "4"), ("b", "2")])),
    ] {
        assert_eq!(
            range(&store, Range::prefix("").at(at)).await,
            wanted,
            "at {at}"
        );
    }
}

/// A revision that does not exist yet is an error, not the present.
pub async fn the_future_cannot_be_read<F: Fixture>(fixture: &F) {
    let store = fixture.open().await;
    put(&store, "a", "1").await;
    let newest = head(&store).await;
    let wanted = newest.next();
    let refused = store.range(Range::prefix("").at(wanted)).await;
    assert_eq!(refused, Err(ReadError::Future { wanted, newest }));
}
