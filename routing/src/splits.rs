//! The splits on disk and in memory. `split/SERVICE` is one, in JSON.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use parking_lot::RwLock;
use routing::{SetSplitArgs, Split, SplitsReply, Weight, reason};
use rpc::{Code, Error};
use serde::{Deserialize, Serialize};
use store::{EmbeddedStore, Range, Store as _};
use tokio::sync::{Mutex, watch};

/// Services that may have a split.
const SPLITS_MAX: usize = 1_000;
/// Versions in one split.
const WEIGHTS_MAX: usize = 20;

#[derive(Serialize, Deserialize)]
struct Kept {
    weights: Vec<(String, u32)>,
    until_ms: Option<u64>,
    by: String,
}

/// All splits. Clones are the same ones.
#[derive(Clone)]
pub(crate) struct Splits(Arc<Inner>);

struct Inner {
    store: EmbeddedStore,
    known: RwLock<BTreeMap<String, Split>>,
    writing: Mutex<()>,
    changes: watch::Sender<u64>,
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

impl Splits {
    pub(crate) async fn load(store: EmbeddedStore) -> Result<Self, Error> {
        let all = store
            .range(Range::prefix(Bytes::from_static(b"split/")))
            .await;
        let all = all.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?;
        let mut known = BTreeMap::new();
        for kv in &all.items {
            let key = String::from_utf8_lossy(&kv.key);
            let service = key.trim_start_matches("split/").to_owned();
            let kept: Kept = serde_json::from_slice(&kv.value).map_err(|e| {
                let message = format!("the record {key} cannot be read: {e}");
                Error::internal(reason::STORE_FAILED, message)
            })?;
            known.insert(service.clone(), found(service, kept));
        }
        Ok(Self(Arc::new(Inner {
            store,
            known: RwLock::new(known),
            writing: Mutex::new(()),
            changes: watch::Sender::new(0),
        })))
    }

    /// Waits until the disk has failed for good.
    pub(crate) async fn failed(&self) -> store::Failure {
        self.0.store.failed().await
    }

    /// Counts changes, for those who wait for the next one.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Those whose time is not over.
    pub(crate) fn all(&self) -> SplitsReply {
        let now = now_ms();
        let lives = |split: &&Split| split.until_ms.is_none_or(|until| now < until);
        let splits = self
            .0
            .known
            .read()
            .values()
            .filter(lives)
            .cloned()
            .collect();
        SplitsReply { splits }
    }

    /// When the next one's time is over, in how many milliseconds.
    pub(crate) fn next_end_ms(&self) -> Option<u64> {
        let now = now_ms();
        let known = self.0.known.read();
        let ends = known.values().filter_map(|split| split.until_ms);
        ends.filter(|until| *until > now)
            .min()
            .map(|until| until - now)
    }

    pub(crate) async fn set(&self, args: SetSplitArgs, by: String) -> Result<Split, Error> {
        check(&args)?;
        let splits = self.clone();
        whole(async move {
            let _turn = splits.0.writing.lock().await;
            let (count, is_known) = {
                let known = splits.0.known.read();
                (known.len(), known.contains_key(&args.service))
            };
            if count >= SPLITS_MAX && !is_known {
                let message = format!("{SPLITS_MAX} services have a split");
                return Err(
                    Error::new(Code::ResourceExhausted, reason::BAD_SPLIT, message)
                        .with_hint("clear some that nobody needs"),
                );
            }
            let kept = Kept {
                weights: args
                    .weights
                    .into_iter()
                    .map(|w| (w.version, w.permille))
                    .collect(),
                until_ms: args.ttl_ms.map(|ttl| now_ms().saturating_add(ttl)),
                by,
            };
            let json = serde_json::to_vec(&kept);
            let json = json.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?;
            let key = format!("split/{}", args.service);
            splits
                .0
                .store
                .put(key, json)
                .await
                .map_err(|e| failed(&e))?;
            let split = found(args.service, kept);
            splits
                .0
                .known
                .write()
                .insert(split.service.clone(), split.clone());
            splits.0.changes.send_modify(|changes| *changes += 1);
            Ok(split)
        })
        .await
    }

    pub(crate) async fn clear(&self, service: String) -> Result<(), Error> {
        let splits = self.clone();
        whole(async move {
            let _turn = splits.0.writing.lock().await;
            let key = format!("split/{service}");
            splits.0.store.delete(key).await.map_err(|e| failed(&e))?;
            splits.0.known.write().remove(&service);
            splits.0.changes.send_modify(|changes| *changes += 1);
            Ok(())
        })
        .await
    }
}

/// To the end, also when whoever asked goes away in the middle.
async fn whole<T: Send + 'static>(
    change: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let changed = tokio::spawn(change).await;
    changed.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?
}

fn failed(error: &store::CommitError) -> Error {
    Error::new(Code::Unavailable, reason::STORE_FAILED, error.to_string())
        .with_hint("routing ends itself when its disk fails; look at its log")
}

fn found(service: String, kept: Kept) -> Split {
    let weight = |(version, permille)| Weight { version, permille };
    Split {
        service,
        weights: kept.weights.into_iter().map(weight).collect(),
        until_ms: kept.until_ms,
        by: kept.by,
    }
}

fn check(args: &SetSplitArgs) -> Result<(), Error> {
    let wrong = |why: &str| {
        Err(Error::invalid(
            reason::BAD_SPLIT,
            format!("the split makes no sense: {why}"),
        )
        .with_hint("as in `{\"version\":\"2.0.0\",\"permille\":100}`: a tenth of all calls"))
    };
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let service = &args.service;
    if service.is_empty() || service.len() > 128 || !service.chars().all(good) {
        return wrong("its service is none");
    }
    if args.weights.is_empty() || args.weights.len() > WEIGHTS_MAX {
        return wrong("it has 1 to 20 versions");
    }
    let mut versions: Vec<&str> = args.weights.iter().map(|w| w.version.as_str()).collect();
    versions.sort_unstable();
    if versions.windows(2).any(|pair| pair[0] == pair[1]) {
        return wrong("a version is there twice");
    }
    if versions
        .iter()
        .any(|version| version.is_empty() || version.len() > 64)
    {
        return wrong("a version has 1 to 64 bytes");
    }
    let total: u64 = args.weights.iter().map(|w| u64::from(w.permille)).sum();
    if total > 1_000 {
        return wrong("its shares are more than a thousand in all");
    }
    if args.ttl_ms == Some(0) {
        return wrong("it would last 0 ms");
    }
    Ok(())
}
