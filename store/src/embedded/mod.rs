//! The embedded engine: SQLite on disk, everything in memory, one thread that writes.
//!
//! ```text
//! callers -> queue -> writer: work out (group) -> SQLite, fsync (disk) -> show (index) -> answer
//! readers ----------------------------------------------------------------> index
//! watches ----------------------------------------------------------------> index's changes
//! ```
//!
//! **Invariant.** The index holds nothing that is not durable: it is changed after the fsync, and
//! read by everybody. **Invariant.** After the first error of a durable write nothing more is
//! written, and every call answers [`Failure`](crate::Failure).

mod backup;
mod disk;
mod files;
mod group;
mod index;
mod leases;
mod load;
mod lock;
mod open;
mod queue;
mod record;
mod shared;
mod wal;
mod watch;
mod work;
mod writer;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use self::queue::{Answer, Ask, Request};
use self::shared::Shared;
use self::writer::Writer;
use crate::limits;
use crate::{
    BackupError, CommitError, Committed, CompactError, Failure, KeyValue, Keys, Lease, LeaseError,
    LeaseId, Op, Range, RangeAnswer, ReadError, Revision, Status, Store, Txn, WatchError,
};

pub use self::backup::Checked;
pub use self::open::OpenError;
pub use self::watch::EmbeddedWatch;

/// Why calls fail after the end that was asked for.
const CLOSED: &str = "it was closed";

/// How much of the past is kept. What is older is compacted by itself, a little at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// At least this many of the newest revisions, if they fit into `history_bytes`.
    pub history_revisions: u64,
    /// Their keys and values take about this many bytes of memory at most.
    pub history_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            history_revisions: 50_000,
            history_bytes: 64 * 1024 * 1024,
        }
    }
}

/// A store in a directory of this machine, for one process. Clones are handles on the same one;
/// dropping the last waits until the writer has ended (milliseconds), and frees the directory.
#[derive(Clone)]
pub struct EmbeddedStore {
    engine: Arc<Engine>,
}

struct Engine {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(writer) = self.writer.get_mut().take() {
            // A writer that panicked has said so to everyone who waited.
            let _ = writer.join();
        }
    }
}

impl EmbeddedStore {
    /// Opens the store in `directory`, which is created when it is not there. Blocks: a
    /// millisecond for an empty store, about a second for each 100 MB.
    ///
    /// # Errors
    /// [`OpenError`]: another process has it, it is damaged, or the disk refuses. Nothing is
    /// served, and nothing was changed.
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let opened = open::open(directory.as_ref())?;
        let shared = Shared::new(opened.files, opened.index, opened.leases);
        let shared = Arc::new(shared);
        let writer = Writer::new(Arc::clone(&shared), opened.disk, options, opened.lock);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || run(&shared, writer)
            })
            .map_err(|why| OpenError::io("start the writer of", directory.as_ref(), why))?;
        Ok(Self {
            engine: Arc::new(Engine {
                shared,
                writer: Mutex::new(Some(writer)),
            }),
        })
    }

    /// Makes a store in `directory` from a file that [`Store::backup`] wrote. It has what the
    /// backup has, none of its past, and goes on at a revision far beyond what the lost store
    /// can have given, which is the answer. Blocks.
    ///
    /// # Errors
    /// There is a store already, the backup is damaged, or the disk refuses.
    pub fn restore(
        backup: impl AsRef<Path>,
        directory: impl AsRef<Path>,
    ) -> Result<Revision, OpenError> {
        backup::restore(backup.as_ref(), directory.as_ref())
    }

    /// Writes a copy of the store in `directory` to a new file, consistent as of one revision,
    /// which is the answer; also while another process has the store open and writes. Blocks.
    ///
    /// # Errors
    /// The file exists, or could not be written, or the store is damaged; nothing is left of the
    /// file then.
    pub fn backup_from(
        directory: impl AsRef<Path>,
        path: impl AsRef<Path>,
    ) -> Result<Revision, BackupError> {
        backup::backup_from(directory.as_ref(), path.as_ref())
    }

    /// Reads all of a file that [`Store::backup`] wrote, as a restore would: every checksum, and
    /// that nothing is missing. Blocks.
    ///
    /// # Errors
    /// It is damaged, or cannot be read.
    pub fn check(backup: impl AsRef<Path>) -> Result<Checked, OpenError> {
        backup::check(backup.as_ref())
    }

    /// Ends the store for all handles, when what waits is written; then the directory is free.
    pub async fn close(&self) {
        self.shared().queue.close();
        let writer = self.engine.writer.lock().take();
        if let Some(writer) = writer {
            // Both errors mean that the writer has ended, which is what is waited for.
            let _ = tokio::task::spawn_blocking(move || writer.join()).await;
        }
    }

    fn shared(&self) -> &Shared {
        &self.engine.shared
    }

    /// Puts a request in line and waits for its answer; `bytes` is what it holds in memory.
    async fn ask<T, E: From<Failure>>(
        &self,
        bytes: usize,
        ask: impl FnOnce(Answer<T, E>) -> Ask,
    ) -> Result<T, E> {
        let shared = self.shared();
        shared.check()?;
        let (to, answer) = oneshot::channel();
        // The limits keep this far below u32.
        let room = u32::try_from(1 + bytes / 1024).unwrap_or(u32::MAX);
        let room = Arc::clone(&shared.room).acquire_many_owned(room).await;
        let request = Request {
            ask: ask(to),
            room: room.map_err(|_| self.gone())?,
        };
        shared.queue.push(request).map_err(|_| self.gone())?;
        answer.await.map_err(|_| self.gone())?
    }

    /// Why there was no answer.
    fn gone(&self) -> Failure {
        let closing = Failure { why: CLOSED.into() };
        self.shared().check().err().unwrap_or(closing)
    }
}

fn run(shared: &Shared, writer: Writer) {
    if std::panic::catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
        shared.stop(
            "its writer panicked (the message is in this process's log)",
            false,
        );
        // Dropping them tells those who wait.
        while shared.queue.take(None).is_some() {}
    }
}

fn weight(txn: &Txn) -> usize {
    let value = |op: &Op| match op {
        Op::Put { value, .. } => value.len(),
        _ => 0,
    };
    txn.then.iter().chain(&txn.otherwise).map(value).sum()
}

impl Store for EmbeddedStore {
    type Watch = EmbeddedWatch;

    async fn get(&self, key: &[u8]) -> Result<Option<KeyValue>, ReadError> {
        self.shared().check()?;
        Ok(self.shared().index.read().get(key))
    }

    async fn range(&self, range: Range) -> Result<RangeAnswer, ReadError> {
        self.shared().check()?;
        self.shared().index.read().range(&range)
    }

    async fn commit(&self, txn: Txn) -> Result<Committed, CommitError> {
        txn.check()?;
        self.ask(weight(&txn), |to| Ask::Commit(txn, to)).await
    }

    async fn watch(&self, keys: Keys, from: Revision) -> Result<EmbeddedWatch, WatchError> {
        EmbeddedWatch::new(Arc::clone(&self.engine.shared), keys, from)
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, LeaseError> {
        limits::check_ttl(ttl)?;
        self.ask(0, |to| Ask::Grant(ttl, to)).await
    }

    async fn keep_alive(&self, id: LeaseId) -> Result<Lease, LeaseError> {
        self.shared().check()?;
        let kept = self.shared().leases.lock().keep_alive(id, Instant::now());
        let ttl = kept.ok_or(LeaseError::NotFound(id))?;
        Ok(Lease { id, ttl })
    }

    async fn revoke(&self, id: LeaseId) -> Result<Revision, LeaseError> {
        self.ask(0, |to| Ask::Revoke(id, to)).await
    }

    async fn compact(&self, revision: Revision) -> Result<Revision, CompactError> {
        self.ask(0, |to| Ask::Compact(revision, to)).await
    }

    async fn backup(&self, path: &Path) -> Result<Revision, BackupError> {
        self.shared().check()?;
        let database = self.shared().files.database.clone();
        let path = path.to_owned();
        let shown = path.display().to_string();
        tokio::task::spawn_blocking(move || backup::backup(&database, &path))
            .await
            .unwrap_or_else(|why| {
                Err(BackupError::Write {
                    path: shown,
                    why: why.to_string(),
                })
            })
    }

    async fn status(&self) -> Result<Status, ReadError> {
        let shared = self.shared();
        shared.check()?;
        let leases = shared.leases.lock().len();
        let index = shared.index.read();
        Ok(Status {
            revision: index.head(),
            compacted: index.compacted(),
            keys: index.live(),
            leases,
            disk_bytes: shared.files.bytes(),
            commits: shared.commits.load(Ordering::Relaxed),
            write_latency: shared.write_latency(),
        })
    }

    async fn failed(&self) -> Failure {
        let mut stopped = self.shared().stopped.subscribe();
        let failed = stopped.wait_for(|s| s.as_ref().is_some_and(|s| !s.closed));
        if let Ok(found) = failed.await
            && let Some(stopped) = found.as_ref()
        {
            return stopped.failure.clone();
        }
        // Unreachable while a handle is borrowed: the sender lives as long as the store.
        std::future::pending().await
    }
}
