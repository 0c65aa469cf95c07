//! The releases on disk and in memory. `release/ID` is a release in JSON; the id has 20 digits.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;
use release::limits::RELEASES_MAX;
use release::{ReleaseInfo, reason};
use rpc::{Code, Error};
use store::{EmbeddedStore, KeyValue, Op, Range, RecallError, Store, Txn};
use tokio::sync::{Mutex, watch};

use crate::record::Record;

/// How many keys are read at a time.
const PAGE: usize = 1_000;

/// All releases. Clones are the same book.
#[derive(Clone)]
pub(crate) struct Book(Arc<Inner>);

struct Inner {
    store: EmbeddedStore,
    releases: RwLock<BTreeMap<u64, Record>>,
    /// What each is waiting for. Not durable: it is found out again.
    waiting: RwLock<BTreeMap<u64, String>>,
    writing: Mutex<()>,
    changes: watch::Sender<u64>,
}

impl Book {
    pub(crate) async fn load(store: EmbeddedStore) -> Result<Self, RecallError> {
        let mut releases = BTreeMap::new();
        let all = Range::prefix(Bytes::from_static(b"release/")).limit(PAGE);
        let take = |item: &KeyValue| {
            let record = Record::from_json(&item.value);
            let record = record.map_err(|e| RecallError::record(&item.key, e))?;
            releases.insert(record.id, record);
            Ok::<_, RecallError>(())
        };
        store.recall(all, take).await?;
        Ok(Self(Arc::new(Inner {
            store,
            releases: RwLock::new(releases),
            waiting: RwLock::default(),
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

    pub(crate) fn get(&self, id: u64) -> Option<Record> {
        self.0.releases.read().get(&id).cloned()
    }

    pub(crate) fn info(&self, id: u64) -> Option<ReleaseInfo> {
        let waiting = self.0.waiting.read().get(&id).cloned().unwrap_or_default();
        Some(self.0.releases.read().get(&id)?.info(&waiting))
    }

    /// Newest first, those that fit.
    pub(crate) fn list(&self, service: Option<&str>, limit: usize) -> Vec<ReleaseInfo> {
        let fits = |record: &&Record| service.is_none_or(|service| service == record.service);
        let releases = self.0.releases.read();
        let ids = releases
            .values()
            .rev()
            .filter(fits)
            .take(limit)
            .map(|record| record.id);
        let ids: Vec<u64> = ids.collect();
        drop(releases);
        ids.into_iter().filter_map(|id| self.info(id)).collect()
    }

    /// Those that are not over.
    pub(crate) fn under_way(&self) -> Vec<u64> {
        let releases = self.0.releases.read();
        let under_way = releases
            .values()
            .filter(|record| !record.release.phase.is_over());
        under_way.map(|record| record.id).collect()
    }

    /// Says what a release waits for just now.
    pub(crate) fn waits(&self, id: u64, why: &str) {
        let before = self.0.waiting.write().insert(id, why.to_owned());
        if before.as_deref() != Some(why) {
            self.0.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// Takes in a new one; `make` gets its id. Refused while another one of its service is under
    /// way.
    pub(crate) async fn create(
        &self,
        make: impl FnOnce(u64) -> Record + Send + 'static,
    ) -> Result<u64, Error> {
        let book = self.clone();
        whole(async move {
            let _turn = book.0.writing.lock().await;
            let last = book
                .0
                .releases
                .read()
                .last_key_value()
                .map_or(0, |(id, _)| *id);
            let record = make(last + 1);
            let other = book.under_way_of(&record.service);
            if let Some(other) = other {
                let message = format!("{other} of {} is under way", record.service);
                return Err(Error::new(Code::Conflict, reason::UNDER_WAY, message)
                    .with_hint(format!("wait for it, or end it: `rollback` of {other}")));
            }
            let id = record.id;
            let forgotten = book.forgettable();
            book.write(record, forgotten).await?;
            Ok(id)
        })
        .await
    }

    fn under_way_of(&self, service: &str) -> Option<String> {
        let releases = self.0.releases.read();
        let mut of_service = releases.values().filter(|record| record.service == service);
        of_service
            .find(|r| !r.release.phase.is_over())
            .map(Record::label)
    }

    /// The oldest that is over, when there are too many.
    fn forgettable(&self) -> Option<u64> {
        let releases = self.0.releases.read();
        if releases.len() < RELEASES_MAX {
            return None;
        }
        let over = releases
            .values()
            .find(|record| record.release.phase.is_over());
        over.map(|record| record.id)
    }

    /// Changes one: what `change` makes of it is durable before it is seen, and answered.
    pub(crate) async fn change(
        &self,
        id: u64,
        change: impl FnOnce(&mut Record) -> Result<(), Error> + Send + 'static,
    ) -> Result<Record, Error> {
        let book = self.clone();
        whole(async move {
            let _turn = book.0.writing.lock().await;
            let mut record = book
                .get(id)
                .ok_or_else(|| unknown(&crate::record::label(id)))?;
            let before = record.changes;
            change(&mut record)?;
            if record.changes != before {
                book.write(record.clone(), None).await?;
            }
            Ok(record)
        })
        .await
    }

    async fn write(&self, record: Record, forgotten: Option<u64>) -> Result<(), Error> {
        let json = record.to_json();
        let json = json.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?;
        let mut ops = vec![Op::put(key(record.id), json)];
        ops.extend(forgotten.map(|id| Op::delete(key(id))));
        let committed = self.0.store.commit(Txn::of(ops)).await;
        committed.map_err(|e| {
            Error::new(Code::Unavailable, reason::STORE_FAILED, e.to_string())
                .with_hint("release ends itself when its disk fails; look at its log")
        })?;
        let mut releases = self.0.releases.write();
        if let Some(forgotten) = forgotten {
            releases.remove(&forgotten);
        }
        releases.insert(record.id, record);
        drop(releases);
        self.0.changes.send_modify(|changes| *changes += 1);
        Ok(())
    }
}

/// To the end, also when whoever asked goes away in the middle.
async fn whole<T: Send + 'static>(
    change: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let changed = tokio::spawn(change).await;
    changed.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?
}

pub(crate) fn unknown(label: &str) -> Error {
    let shown: String = label.chars().take(64).collect();
    Error::not_found(
        reason::UNKNOWN_RELEASE,
        format!("there is no release `{shown}`"),
    )
    .with_hint("`list` shows the releases there are")
}

fn key(id: u64) -> String {
    format!("release/{id:020}")
}
