//! The interface: what every backend does, and the suite in [`crate::conformance`] checks.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use crate::{
    BackupError, Change, CommitError, Committed, CompactError, Failure, KeyValue, Keys, Lease,
    LeaseError, LeaseId, Op, Range, RangeAnswer, ReadError, Revision, Status, Txn, WatchError,
};

/// A place for state: keys in order, transactions with comparisons, revisions, watches, leases.
///
/// # Promises
/// - What was acknowledged is durable, and in every later read.
/// - Each transaction that changes something takes the next revision; all its changes have that
///   revision, and none is visible without the others. One that changes nothing takes none.
/// - Reads and comparisons see every commit acknowledged before they began.
/// - A watch tells each change once, in order, whole, and without a gap.
///
/// # Cancellation
/// Dropping a future of a read does nothing. Dropping a future of `commit`, `put`, `delete`,
/// `grant`, `revoke` or `compact` leaves open whether it is done.
pub trait Store: Send + Sync + 'static {
    /// What [`Store::watch`] gives.
    type Watch: Watch;

    /// The key as it is now.
    ///
    /// # Errors
    /// Only when the store cannot answer at all.
    fn get(&self, key: &[u8]) -> impl Future<Output = Result<Option<KeyValue>, ReadError>> + Send;

    /// Keys in order, now or at an earlier revision.
    ///
    /// # Errors
    /// The revision was compacted, or lies in the future; or the store cannot answer at all.
    fn range(&self, range: Range) -> impl Future<Output = Result<RangeAnswer, ReadError>> + Send;

    /// Hands over every key of `range` in order, all as of one revision; memory holds a page of
    /// them at a time, of as many as the range's limit says. For state that is read at a start.
    ///
    /// # Errors
    /// As [`Store::range`], and what `take` says: the first error ends it.
    fn recall<E: From<ReadError> + Send>(
        &self,
        range: Range,
        mut take: impl FnMut(&KeyValue) -> Result<(), E> + Send,
    ) -> impl Future<Output = Result<(), E>> + Send {
        async move {
            let mut next = Some(range);
            while let Some(question) = next {
                let page = self.range(question.clone()).await?;
                page.items.iter().try_for_each(&mut take)?;
                next = question.after(&page);
            }
            Ok(())
        }
    }

    /// Does a transaction, and answers when it is durable.
    ///
    /// # Errors
    /// Each variant of [`CommitError`] says whether something may have been written.
    fn commit(&self, txn: Txn) -> impl Future<Output = Result<Committed, CommitError>> + Send;

    /// Gives `key` a value; the revision is that of the write.
    ///
    /// # Errors
    /// As [`Store::commit`].
    fn put(
        &self,
        key: impl Into<Bytes> + Send,
        value: impl Into<Bytes> + Send,
    ) -> impl Future<Output = Result<Revision, CommitError>> + Send {
        let txn = Txn::of(vec![Op::put(key, value)]);
        async move { Ok(self.commit(txn).await?.revision) }
    }

    /// Takes `key` away; the revision is that of the write, or the newest if there was no key.
    ///
    /// # Errors
    /// As [`Store::commit`].
    fn delete(
        &self,
        key: impl Into<Bytes> + Send,
    ) -> impl Future<Output = Result<Revision, CommitError>> + Send {
        let txn = Txn::of(vec![Op::delete(key)]);
        async move { Ok(self.commit(txn).await?.revision) }
    }

    /// Tells all changes of `keys` with revision `from` or later, those that lie in the past
    /// first. A `from` in the future is fine: nothing older is told.
    ///
    /// # Errors
    /// The revision `from` was compacted, or the store cannot answer at all.
    fn watch(
        &self,
        keys: Keys,
        from: Revision,
    ) -> impl Future<Output = Result<Self::Watch, WatchError>> + Send;

    /// A new lease. Its keys vanish together, in one revision, no earlier than `ttl` after the
    /// last acknowledged keep-alive. Time is monotonic, and begins anew when the store restarts.
    ///
    /// # Errors
    /// The `ttl` is out of bounds, or the lease could not be made durable.
    fn grant(&self, ttl: Duration) -> impl Future<Output = Result<Lease, LeaseError>> + Send;

    /// Gives the lease its full time to live again. Never waits for the disk.
    ///
    /// # Errors
    /// [`LeaseError::NotFound`] when it has ended.
    fn keep_alive(&self, id: LeaseId) -> impl Future<Output = Result<Lease, LeaseError>> + Send;

    /// Ends the lease now; its keys vanish in one revision, which is the answer (the newest
    /// revision if it had no keys).
    ///
    /// # Errors
    /// [`LeaseError::NotFound`] when it has ended already.
    fn revoke(&self, id: LeaseId) -> impl Future<Output = Result<Revision, LeaseError>> + Send;

    /// Forgets how things were before `revision`, and the changes up to it. How they were at
    /// `revision`, and what changed after it, is kept. Answers where the store is compacted to,
    /// which is later than `revision` if somebody compacted further before.
    ///
    /// # Errors
    /// The revision lies in the future, or the compaction could not be made durable.
    fn compact(
        &self,
        revision: Revision,
    ) -> impl Future<Output = Result<Revision, CompactError>> + Send;

    /// Writes a copy of the whole store to a new file, consistent as of one revision, checked by
    /// reading it back; answers that revision. Commits go on meanwhile.
    ///
    /// # Errors
    /// The file exists, or could not be written; nothing is left of it then.
    fn backup(&self, path: &Path) -> impl Future<Output = Result<Revision, BackupError>> + Send;

    /// How the store is.
    ///
    /// # Errors
    /// Only when the store cannot answer at all.
    fn status(&self) -> impl Future<Output = Result<Status, ReadError>> + Send;

    /// Waits until the store stops for good. The process should then end itself: what it still
    /// holds in memory is no longer what is on disk. A store that is only away never does this.
    fn failed(&self) -> impl Future<Output = Failure> + Send;
}

/// The changes of some keys, from one revision on. It buffers nothing: a reader that stalls
/// costs no memory, and finds out with [`WatchError::Compacted`] when it stalled for too long.
pub trait Watch: Send + 'static {
    /// Waits for the next change. Cancel safe: a dropped call loses nothing.
    ///
    /// # Errors
    /// After an error the watch is over; every further call gives the same error.
    fn next(&mut self) -> impl Future<Output = Result<Change, WatchError>> + Send;

    /// Everything before this revision was told: where a new watch takes over from this one.
    fn position(&self) -> Revision;
}
