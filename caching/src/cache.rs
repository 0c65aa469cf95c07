//! What a replica holds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use caching::{GetReply, StatsReply, reason};
use moka::Expiry;
use moka::future::Cache;
use parking_lot::Mutex;
use rpc::{CallOptions, Code, Error};
use storage::{GetArgs, StorageClient};
use tokio::sync::watch;

/// What an entry takes beside its key and value, in bytes, about.
const OVERHEAD: usize = 120;

/// A value, and how long it lives.
#[derive(Clone)]
struct Entry {
    value: Option<Bytes>,
    ttl: Option<Duration>,
    /// Read from storage then; absent for what was set.
    read: Option<Instant>,
}

struct ByEntry;

impl Expiry<Arc<str>, Entry> for ByEntry {
    fn expire_after_create(&self, _: &Arc<str>, entry: &Entry, _: Instant) -> Option<Duration> {
        entry.ttl
    }

    fn expire_after_update(
        &self,
        _: &Arc<str>,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        entry.ttl
    }
}

/// Counts since the start.
#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    reads_through: AtomicU64,
    evicted: AtomicU64,
    invalidated: AtomicU64,
}

/// All values of this replica.
pub(crate) struct Held {
    cache: Cache<Arc<str>, Entry>,
    bytes_max: u64,
    counts: Arc<Counts>,
    storage: StorageClient,
    /// Since when changes in storage are not seen; `None` while they are.
    lost: watch::Sender<Option<Instant>>,
    follows: OnceLock<()>,
    /// Keys that are being read, by how many, and whether storage got another value meanwhile.
    loading: Mutex<HashMap<Arc<str>, (usize, bool)>>,
}

impl Held {
    pub(crate) fn new(bytes_max: u64, storage: StorageClient) -> Self {
        let counts = Arc::new(Counts::default());
        let evictions = Arc::clone(&counts);
        let cache = Cache::builder()
            .max_capacity(bytes_max)
            .weigher(|key: &Arc<str>, entry: &Entry| {
                let bytes = key.len() + entry.value.as_ref().map_or(0, Bytes::len) + OVERHEAD;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .expire_after(ByEntry)
            .support_invalidation_closures()
            .eviction_listener(move |_, _, cause| {
                if cause == moka::notification::RemovalCause::Size {
                    evictions.evicted.fetch_add(1, Relaxed);
                }
            })
            .build();
        Self {
            cache,
            bytes_max,
            counts,
            storage,
            lost: watch::Sender::new(Some(Instant::now())),
            follows: OnceLock::new(),
            loading: Mutex::default(),
        }
    }

    pub(crate) async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) {
        // A small value is often a slice of a large frame: it must not keep that alive.
        let value = if value.len() < 4_096 {
            Bytes::copy_from_slice(&value)
        } else {
            value
        };
        let entry = Entry {
            value: Some(value),
            ttl,
            read: None,
        };
        self.cache.insert(key.into(), entry).await;
    }

    pub(crate) async fn delete(&self, key: &str) -> bool {
        self.cache.remove(key).await.is_some()
    }

    /// What is here.
    pub(crate) async fn get(&self, key: &str) -> Option<Bytes> {
        let found = self.cache.get(key).await.and_then(|entry| entry.value);
        self.count(found.is_some());
        found
    }

    fn count(&self, hit: bool) {
        let counter = if hit {
            &self.counts.hits
        } else {
            &self.counts.misses
        };
        counter.fetch_add(1, Relaxed);
    }

    /// What is here, or else in storage. `options` go with the call to storage.
    pub(crate) async fn through(
        &self,
        key: &str,
        stale_ok: bool,
        options: CallOptions,
    ) -> Result<GetReply, Error> {
        let lost = *self.lost.borrow();
        if let Some(entry) = self.cache.get(key).await {
            let fresh = entry.read.is_none() || lost.is_none();
            if fresh {
                self.count(entry.value.is_some());
                return Ok(reply(entry.value, None));
            }
            // Changes are not seen now: storage itself is asked, and what is here is a fallback.
            return match self.read(key, options).await {
                Ok(entry) => Ok(reply(entry.value, None)),
                Err(_) if stale_ok => {
                    let since = lost.map_or(Duration::ZERO, |at| at.elapsed());
                    let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
                    Ok(reply(entry.value, Some(ms)))
                }
                Err(error) => Err(away(&error)),
            };
        }
        self.count(false);
        let name: Arc<str> = key.into();
        let loading = Loading::begin(self, &name);
        let fetch = self.fetch(key, options);
        let read = self.cache.try_get_with(Arc::clone(&name), fetch).await;
        if loading.is_dirty() {
            // Read before a change that was told before it was kept: it would stay for ever.
            self.cache.invalidate(&name).await;
        }
        let entry = read.map_err(|error| away(&error))?;
        Ok(reply(entry.value, None))
    }

    async fn read(&self, key: &str, options: CallOptions) -> Result<Entry, Error> {
        let entry = self.fetch(key, options).await?;
        self.cache.insert(key.into(), entry.clone()).await;
        Ok(entry)
    }

    async fn fetch(&self, key: &str, options: CallOptions) -> Result<Entry, Error> {
        self.counts.reads_through.fetch_add(1, Relaxed);
        let client = self.storage.with(options);
        let item = client.get(&GetArgs::new(key)).await?.item;
        Ok(Entry {
            // That storage has no such key is worth remembering too.
            value: item.map(|item| item.value),
            ttl: None,
            read: Some(Instant::now()),
        })
    }

    /// Whether this was called before: following storage begins with the first that asks through.
    pub(crate) fn begins_to_follow(&self) -> bool {
        self.follows.set(()).is_ok()
    }

    /// Changes in storage are seen from now on, or no longer are. What was read before they are
    /// seen again may be old.
    pub(crate) fn sees_storage(&self, sees: bool) {
        if sees {
            for (_, dirty) in self.loading.lock().values_mut() {
                *dirty = true;
            }
            self.drop_read();
            self.lost.send_replace(None);
        } else if self.lost.borrow().is_none() {
            self.lost.send_replace(Some(Instant::now()));
        }
    }

    fn drop_read(&self) {
        // Only fails when the builder was not told to support it.
        if let Err(error) = self
            .cache
            .invalidate_entries_if(|_, entry| entry.read.is_some())
        {
            tracing::error!(%error, "what may be old is dropped with all the rest");
            self.cache.invalidate_all();
        }
    }

    /// Storage has another value for this key.
    pub(crate) async fn changed(&self, key: &str) {
        if let Some((_, dirty)) = self.loading.lock().get_mut(key) {
            *dirty = true;
        }
        let read = self
            .cache
            .get(key)
            .await
            .is_some_and(|entry| entry.read.is_some());
        if read {
            self.counts.invalidated.fetch_add(1, Relaxed);
            self.cache.invalidate(key).await;
        }
    }

    /// Drops what begins so; how many there were.
    pub(crate) async fn invalidate(&self, prefix: &str) -> u64 {
        let keys: Vec<Arc<str>> = self
            .cache
            .iter()
            .map(|(key, _)| Arc::clone(&*key))
            .filter(|key| key.starts_with(prefix))
            .collect();
        for key in &keys {
            self.cache.invalidate(key).await;
        }
        keys.len() as u64
    }

    pub(crate) async fn stats(&self) -> StatsReply {
        self.cache.run_pending_tasks().await;
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        StatsReply {
            entries: self.cache.entry_count(),
            bytes: self.cache.weighted_size(),
            bytes_max: self.bytes_max,
            hits: count(&self.counts.hits),
            misses: count(&self.counts.misses),
            reads_through: count(&self.counts.reads_through),
            evicted: count(&self.counts.evicted),
            invalidated: count(&self.counts.invalidated),
            follows_storage: self.follows.get().is_none() || self.lost.borrow().is_none(),
        }
    }

    /// In OpenMetrics format.
    pub(crate) fn metrics(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        format!(
            "# TYPE caching_bytes gauge\ncaching_bytes {}\n\
             # TYPE caching_hits counter\ncaching_hits_total {}\n\
             # TYPE caching_misses counter\ncaching_misses_total {}\n\
             # TYPE caching_evicted counter\ncaching_evicted_total {}\n",
            self.cache.weighted_size(),
            count(&self.counts.hits),
            count(&self.counts.misses),
            count(&self.counts.evicted),
        )
    }
}

/// A key that is being read, until this is dropped.
struct Loading<'a> {
    held: &'a Held,
    key: Arc<str>,
}

impl<'a> Loading<'a> {
    fn begin(held: &'a Held, key: &Arc<str>) -> Self {
        let mut loading = held.loading.lock();
        loading.entry(Arc::clone(key)).or_insert((0, false)).0 += 1;
        let key = Arc::clone(key);
        Self { held, key }
    }

    fn is_dirty(&self) -> bool {
        let loading = self.held.loading.lock();
        loading.get(&self.key).is_some_and(|(_, dirty)| *dirty)
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        let mut loading = self.held.loading.lock();
        if let Some((count, _)) = loading.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                loading.remove(&self.key);
            }
        }
    }
}

fn reply(value: Option<Bytes>, stale_ms: Option<u64>) -> GetReply {
    GetReply { value, stale_ms }
}

fn away(error: &Error) -> Error {
    if matches!(error.code, Code::Unauthenticated | Code::PermissionDenied) {
        return error.clone();
    }
    let message = format!("storage cannot be read: {error}");
    Error::new(Code::Unavailable, reason::STORAGE_AWAY, message)
        .with_hint("`stale_ok: true` takes what may be old")
        .with_retry(error.retry)
}
