//! The promises of [`Store`], as tests that every engine has to pass.
//!
//! [`conformance_tests!`](crate::conformance_tests) makes one `#[test]` of each promise:
//!
//! ```text
//! store::conformance_tests!(MyFixture::new());
//! ```
//!
//! They panic with what was found, as tests do. None needs another than the public interface, and
//! none assumes that the store is empty of revisions or that time stands still.

mod compaction;
mod leases;
mod reads;
mod restarts;
mod transactions;
mod watches;

pub use compaction::*;
pub use leases::*;
pub use reads::*;
pub use restarts::*;
pub use transactions::*;
pub use watches::*;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Change, KeyValue, Range, Revision, Store, Txn, Watch};

/// Where the suite gets its stores from. Each promise has a fixture of its own.
pub trait Fixture: Send + Sync {
    /// The engine.
    type Store: Store;

    /// The store, without keys. Called once.
    fn open(&self) -> impl Future<Output = Self::Store> + Send;

    /// Ends `store` and opens it again over the same data.
    fn restart(&self, store: Self::Store) -> impl Future<Output = Self::Store> + Send;

    /// A name for a file that does not exist.
    fn free_path(&self) -> PathBuf;
}

/// No promise waits longer than this for anything.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs one promise to its end.
///
/// # Panics
/// When the promise is not kept.
pub fn run(promise: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime for the test");
    runtime.block_on(soon("the promise", promise));
}

/// Makes one `#[test]` of each promise; the argument is an expression that makes a
/// [`Fixture`].
#[macro_export]
macro_rules! conformance_tests {
    ($fixture:expr) => {
        $crate::conformance_tests!(@each $fixture;
            a_put_is_read_back
            what_was_never_put_is_not_found
            keys_and_values_are_any_bytes
            a_range_is_in_order_and_holds_its_prefix_only
            a_span_ends_before_its_end
            pages_follow_each_other_at_one_revision
            the_past_is_read_as_it_was
            the_future_cannot_be_read
            every_change_takes_the_next_revision
            a_transaction_is_one_revision
            what_changes_nothing_takes_no_revision
            each_comparison_does_what_it_says
            a_failed_comparison_does_the_other_branch
            operations_see_those_before_them
            versions_count_from_creation
            limits_are_refused_and_write_nothing
            of_many_who_compare_none_loses_an_update
            a_watch_tells_each_change_once_in_order_and_whole
            a_watch_begins_in_the_past
            a_watch_from_the_future_does_not_tell_the_past
            a_watch_tells_of_its_keys_only
            a_watch_goes_on_where_another_ended
            a_stalled_watch_catches_up
            a_stalled_watch_is_told_that_it_was_compacted
            a_dropped_call_of_next_loses_nothing
            the_keys_of_a_lease_vanish_together_and_not_early
            a_lease_that_is_kept_alive_stays
            a_revoked_lease_takes_its_keys_in_one_revision
            an_ended_lease_takes_no_keys_and_no_keep_alive
            a_key_put_again_without_its_lease_stays
            no_lease_is_named_twice
            a_compaction_keeps_what_is_at_it_and_after_it
            what_was_compacted_is_neither_read_nor_watched
            a_delete_at_the_compacted_revision_stays_deleted
            a_compaction_of_the_future_is_refused
            compacting_again_further_back_changes_nothing
            a_restart_loses_nothing_and_reuses_nothing
            the_past_outlives_a_restart
            leases_outlive_a_restart_with_their_keys
            a_backup_is_a_new_file_and_never_replaces_one
        );
    };
    (@each $fixture:expr; $($promise:ident)*) => {$(
        #[test]
        fn $promise() {
            let fixture = $fixture;
            $crate::conformance::run($crate::conformance::$promise(&fixture));
        }
    )*};
}

async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, wait).await {
        Ok(done) => done,
        Err(_) => panic!("{what} did not come within {DEADLINE:?}"),
    }
}

async fn next<W: Watch>(watch: &mut W) -> Change {
    soon("a change", watch.next())
        .await
        .expect("the watch goes on")
}

async fn put<S: Store>(store: &S, key: &str, value: &str) -> Revision {
    let (key, value) = (key.to_owned(), value.to_owned());
    store.put(key, value).await.expect("the put is taken")
}

async fn commit<S: Store>(store: &S, txn: Txn) -> crate::Committed {
    store.commit(txn).await.expect("the transaction is taken")
}

async fn get<S: Store>(store: &S, key: &str) -> Option<KeyValue> {
    store.get(key.as_bytes()).await.expect("the key is read")
}

async fn value<S: Store>(store: &S, key: &str) -> Option<String> {
    get(store, key).await.map(|found| text(&found.value))
}

async fn range<S: Store>(store: &S, range: Range) -> Vec<(String, String)> {
    let answer = store.range(range).await.expect("the range is read");
    let pair = |item: &KeyValue| (text(&item.key), text(&item.value));
    answer.items.iter().map(pair).collect()
}

async fn head<S: Store>(store: &S) -> Revision {
    store.status().await.expect("the status is read").revision
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    of.iter().map(owned).collect()
}
