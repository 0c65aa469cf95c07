//! The engine over etcd, for a fleet that outgrew one machine: every promise of [`Store`] is one
//! that etcd makes, so this module only translates.
//!
//! ```text
//! Store's nouns -> wire -> etcd-client -> etcd (3.4 or later)
//! ```
//!
//! **Invariant.** Every key lies under the store's own prefix; nothing outside of it is read or
//! written. Revisions and compactions are the cluster's: other users of it make the revisions of
//! this store skip numbers, and what one compacts is gone for all.
//! **Invariant.** A commit is sent once. Whether one without an answer was made is the caller's
//! to find out, with a comparison; reads are tried again here.

mod trouble;
mod watch;
mod wire;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use etcd_client::{Client, CompactionOptions, ConnectOptions, GetOptions, KvClient};
use tokio::time::{sleep, timeout};

use self::trouble::Trouble;
use self::wire::Space;
use crate::latency::Latencies;
use crate::{
    BackupError, CommitError, Committed, CompactError, EmbeddedStore, Failure, KeyValue, Keys,
    Lease, LeaseError, LeaseId, Options, Range, RangeAnswer, ReadError, Revision, Status, Store,
    Txn, WatchError, copy, limits,
};

pub use self::watch::EtcdWatch;

/// A member that does not take a connection for so long is passed over.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// How often an idle connection is asked whether it still is one, and for how long.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_PATIENCE: Duration = Duration::from_secs(3);
/// Between two attempts of a read.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Which etcd, and which part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdOptions {
    /// `host:port` of its members: some or all of them.
    pub endpoints: Vec<String>,
    /// Before every key; whoever opens the same prefix opens the same store. Not empty.
    pub prefix: Bytes,
    /// How long one call waits for an answer. A change of etcd's leader takes 1 to 3 s.
    pub patience: Duration,
}

impl EtcdOptions {
    /// Those members, and all keys that begin with `prefix`; calls wait 5 s.
    #[must_use]
    pub fn new(endpoints: Vec<String>, prefix: impl Into<Bytes>) -> Self {
        Self {
            endpoints,
            prefix: prefix.into(),
            patience: Duration::from_secs(5),
        }
    }
}

/// A store in an etcd cluster. Clones are handles on the same connections.
#[derive(Clone)]
pub struct EtcdStore {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    space: Space,
    /// For messages: which cluster, and where in it.
    place: String,
    patience: Duration,
    commits: AtomicU64,
    latency: Latencies,
}

impl EtcdStore {
    /// Connects, and asks for the newest revision to see that somebody answers.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`]: no member answered within the patience, or the options name
    /// no endpoint or no prefix.
    pub async fn connect(options: EtcdOptions) -> Result<Self, ReadError> {
        let unavailable = |why: String| ReadError::Unavailable { why };
        if options.prefix.is_empty() {
            return Err(unavailable("a prefix for the keys is missing".to_owned()));
        }
        let settings = ConnectOptions::new()
            .with_connect_timeout(CONNECT_PATIENCE)
            .with_keep_alive(PING_EVERY, PING_PATIENCE)
            .with_keep_alive_while_idle(true)
            // A member that is cut off from the others ends its watches in place of going silent.
            .with_require_leader(true);
        let client = Client::connect(&options.endpoints, Some(settings)).await;
        let place = format!(
            "etcd at {}, under {}",
            options.endpoints.join(","),
            limits::shown(&options.prefix)
        );
        let client = client.map_err(|why| unavailable(format!("{place}: {why}")))?;
        let store = Self {
            inner: Arc::new(Inner {
                client,
                space: Space::new(options.prefix),
                place,
                patience: options.patience,
                commits: AtomicU64::new(0),
                latency: Latencies::default(),
            }),
        };
        store.head().await?;
        Ok(store)
    }

    fn kv(&self) -> KvClient {
        // Whoever asks for a page says how large it may be.
        let kv = self.inner.client.kv_client();
        kv.max_decoding_message_size(usize::MAX)
    }

    /// One attempt.
    async fn once<T>(
        &self,
        call: impl Future<Output = Result<T, etcd_client::Error>>,
    ) -> Result<T, Trouble> {
        match timeout(self.inner.patience, call).await {
            Ok(answer) => answer.map_err(|error| Trouble::of(&self.inner.place, error)),
            Err(_) => {
                let (place, patience) = (&self.inner.place, self.inner.patience);
                Err(Trouble::Away(format!("{place}: no answer in {patience:?}")))
            }
        }
    }

    /// As many attempts as the patience allows: only for what may be done twice.
    async fn read<T, F>(&self, call: impl Fn() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let begun = Instant::now();
        loop {
            match self.once(call()).await {
                Err(Trouble::Away(_)) if begun.elapsed() + AGAIN_AFTER < self.inner.patience => {
                    sleep(AGAIN_AFTER).await;
                }
                answer => return answer,
            }
        }
    }

    /// The newest revision, and how many keys there are.
    async fn head(&self) -> Result<(Revision, u64), ReadError> {
        let (start, end) = self.inner.space.span(&Keys::prefix(Bytes::new()));
        let options = GetOptions::new().with_range(end).with_count_only();
        let read = || {
            let (mut kv, start, options) = (self.kv(), start.clone(), options.clone());
            async move { kv.get(start, Some(options)).await }
        };
        let answer = self.read(read).await.map_err(Trouble::unavailable)?;
        let count = u64::try_from(answer.count()).unwrap_or(0);
        Ok((wire::revision_of(answer.header()), count))
    }

    /// Where the cluster is compacted to.
    async fn compacted(&self) -> Result<Revision, ReadError> {
        // Etcd tells it only to a watch that begins too early.
        let first = Range::prefix(Bytes::new()).limit(1).at(Revision(1));
        match self.page(&first).await {
            Ok(_) => return Ok(Revision(0)),
            Err(Trouble::Compacted) => {}
            Err(trouble) => return Err(trouble.unavailable()),
        }
        let watch = self.watch(Keys::prefix(Bytes::new()), Revision(1)).await;
        let told = match watch {
            Ok(mut watch) => timeout(self.inner.patience, crate::Watch::next(&mut watch)).await,
            Err(error) => Ok(Err(error)),
        };
        match told {
            Ok(Err(WatchError::Compacted { at, .. })) => Ok(at),
            other => Err(ReadError::Unavailable {
                why: format!("{}: no word of a compaction: {other:?}", self.inner.place),
            }),
        }
    }

    async fn page(&self, range: &Range) -> Result<RangeAnswer, Trouble> {
        let (start, options) = self.inner.space.question(range);
        let read = || {
            let (mut kv, start, options) = (self.kv(), start.clone(), options.clone());
            async move { kv.get(start, Some(options)).await }
        };
        let mut answer = self.read(read).await?;
        let revision = wire::revision_of(answer.header());
        let more = answer.more();
        let items = answer.take_kvs().into_iter();
        Ok(RangeAnswer {
            items: items.map(|item| self.inner.space.item(item)).collect(),
            more,
            revision: range.at.unwrap_or(revision),
        })
    }

    async fn ttl(&self, id: LeaseId) -> Result<Lease, Trouble> {
        let mut client = self.inner.client.lease_client();
        let kept = self.once(async move {
            let (mut keeper, mut answers) = client.keep_alive(wire::to_lease(id)).await?;
            keeper.keep_alive().await?;
            answers.message().await
        });
        match kept.await? {
            Some(kept) if kept.ttl() > 0 => Ok(Lease {
                id,
                ttl: wire::seconds(kept.ttl()),
            }),
            _ => Err(Trouble::NoLease),
        }
    }
}

impl Store for EtcdStore {
    type Watch = EtcdWatch;

    async fn get(&self, key: &[u8]) -> Result<Option<KeyValue>, ReadError> {
        let key = self.inner.space.key(key);
        let read = || {
            let (mut kv, key) = (self.kv(), key.clone());
            async move { kv.get(key, None).await }
        };
        let mut answer = self.read(read).await.map_err(Trouble::unavailable)?;
        let found = answer.take_kvs().into_iter().next();
        Ok(found.map(|item| self.inner.space.item(item)))
    }

    async fn range(&self, range: Range) -> Result<RangeAnswer, ReadError> {
        let wanted = range.at.unwrap_or_default();
        match self.page(&range).await {
            Ok(page) => Ok(page),
            Err(Trouble::Compacted) => Err(ReadError::Compacted {
                wanted,
                at: self.compacted().await?,
            }),
            Err(Trouble::Future) => Err(ReadError::Future {
                wanted,
                newest: self.head().await?.0,
            }),
            Err(trouble) => Err(trouble.unavailable()),
        }
    }

    async fn commit(&self, txn: Txn) -> Result<Committed, CommitError> {
        txn.check()?;
        let request = self.inner.space.txn(&txn);
        let (mut kv, begun) = (self.kv(), Instant::now());
        let answer = self.once(kv.txn(request)).await;
        let answer = answer.map_err(|trouble| trouble.of_commit(&self.inner.place, &txn))?;
        self.inner.commits.fetch_add(1, Ordering::Relaxed);
        self.inner.latency.record(begun.elapsed());
        Ok(self.inner.space.committed(&answer))
    }

    async fn watch(&self, keys: Keys, from: Revision) -> Result<EtcdWatch, WatchError> {
        let (start, options) = self.inner.space.watch(&keys, from);
        let client = self.inner.client.watch_client();
        let mut client = client.max_decoding_message_size(usize::MAX);
        let stream = self.once(client.watch(start, Some(options))).await;
        let stream = stream.map_err(Trouble::of_watch)?;
        let space = self.inner.space.clone();
        Ok(EtcdWatch::new(stream, space, from, &self.inner.place))
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, LeaseError> {
        limits::check_ttl(ttl)?;
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let mut client = self.inner.client.lease_client();
        let granted = self.once(client.grant(seconds, None)).await;
        let granted = granted.map_err(|trouble| trouble.of_lease(&self.inner.place, LeaseId(0)))?;
        Ok(Lease {
            id: wire::lease(granted.id()).unwrap_or(LeaseId(0)),
            ttl: wire::seconds(granted.ttl()),
        })
    }

    async fn keep_alive(&self, id: LeaseId) -> Result<Lease, LeaseError> {
        let kept = self.ttl(id).await;
        kept.map_err(|trouble| trouble.of_lease(&self.inner.place, id))
    }

    async fn revoke(&self, id: LeaseId) -> Result<Revision, LeaseError> {
        let mut client = self.inner.client.lease_client();
        let revoked = self.once(client.revoke(wire::to_lease(id))).await;
        let revoked = revoked.map_err(|trouble| trouble.of_lease(&self.inner.place, id))?;
        Ok(wire::revision_of(revoked.header()))
    }

    async fn compact(&self, revision: Revision) -> Result<Revision, CompactError> {
        let options = CompactionOptions::new().with_physical();
        let wanted = wire::to_revision(revision);
        let mut kv = self.kv();
        let unavailable = |error: ReadError| CompactError::Unavailable {
            why: error.to_string(),
        };
        match self.once(kv.compact(wanted, Some(options))).await {
            Ok(_) => Ok(revision),
            Err(Trouble::Compacted) => self.compacted().await.map_err(unavailable),
            Err(Trouble::Future) => Err(CompactError::Future {
                wanted: revision,
                newest: self.head().await.map_err(unavailable)?.0,
            }),
            Err(Trouble::NoSpace) => Err(CompactError::NoSpace {
                place: self.inner.place.clone(),
            }),
            Err(trouble) => Err(unavailable(trouble.unavailable())),
        }
    }

    /// In the form of the embedded engine, so that either can be restored from it.
    async fn backup(&self, path: &Path) -> Result<Revision, BackupError> {
        let write = |why: String| BackupError::Write {
            path: path.display().to_string(),
            why,
        };
        if path.exists() {
            let path = path.display().to_string();
            return Err(BackupError::Exists { path });
        }
        let beside = path.parent().unwrap_or(Path::new("."));
        let folder = tempfile::tempdir_in(beside).map_err(|why| write(why.to_string()))?;
        let between = EmbeddedStore::open(folder.path().join("store"), Options::default());
        let between = between.map_err(|why| write(why.to_string()))?;
        let copied = copy::copy(self, &between).await;
        let copied = copied.map_err(|why| write(why.to_string()))?;
        between.backup(path).await?;
        between.close().await;
        Ok(copied.revision)
    }

    async fn status(&self) -> Result<Status, ReadError> {
        let (revision, keys) = self.head().await?;
        let compacted = self.compacted().await?;
        let client = &self.inner.client;
        let leases = self.read(|| {
            let mut client = client.lease_client();
            async move { client.leases().await }
        });
        let leases = leases.await.map_err(Trouble::unavailable)?;
        let server = self.read(|| {
            let mut client = client.maintenance_client();
            async move { client.status().await }
        });
        let server = server.await.map_err(Trouble::unavailable)?;
        Ok(Status {
            revision,
            compacted,
            keys,
            leases: leases.leases().len() as u64,
            disk_bytes: u64::try_from(server.db_size()).unwrap_or(0),
            commits: self.inner.commits.load(Ordering::Relaxed),
            write_latency: self.inner.latency.seen(),
        })
    }

    /// Never: a cluster that is away may come back.
    async fn failed(&self) -> Failure {
        std::future::pending().await
    }
}
