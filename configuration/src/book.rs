//! The state on disk, and every change of it.
//!
//! | key | value, in JSON |
//! |---|---|
//! | `value/KEY` | what is set now |
//! | `history/KEY/NUMBER` | one write of it; the number with 20 digits |
//! | `schema/SERVICE` | the keys that a service has declared |
//!
//! A write of a key is one transaction: its value and its history have one revision.

use std::time::{SystemTime, UNIX_EPOCH};

use configuration::limits::{DECLARATIONS_MAX, HISTORY_MAX};
use configuration::{
    Compare, Declaration, DeclareArgs, DeclareReply, HistoryEntry, Item, SetReply, reason,
};
use rpc::{Code, Error, Retry};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{
    CommitError, EmbeddedStore, EmbeddedWatch, Keys, Op, Range, RangeAnswer, Revision, Store, Txn,
    WatchError,
};
use tokio::sync::Mutex;

use crate::keys::{self, service_of};

/// A value, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    value: String,
    at_ms: u64,
    by: String,
}

/// One write of a key, as it is kept.
#[derive(Serialize, Deserialize)]
struct Past {
    number: u64,
    at_ms: u64,
    by: String,
    value: Option<String>,
    rollback_to: Option<u64>,
}

/// What a write is to do.
pub(crate) struct Wanted {
    pub(crate) key: String,
    /// Absent: take the value away.
    pub(crate) value: Option<String>,
    pub(crate) compare: Compare,
    pub(crate) by: String,
    pub(crate) rollback_to: Option<u64>,
    pub(crate) undeclared: bool,
}

/// The state, and the way to change it.
pub(crate) struct Book {
    store: EmbeddedStore,
    /// Held by whoever writes: a write's number is one more than the last, and what a schema allows
    /// is what is set. People and programs set values now and then, not thousands a second.
    writing: Mutex<()>,
}

impl Book {
    pub(crate) fn new(store: EmbeddedStore) -> Self {
        let writing = Mutex::new(());
        Self { store, writing }
    }

    /// Waits until the disk has failed for good.
    pub(crate) async fn failed(&self) -> store::Failure {
        self.store.failed().await
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Item>, Error> {
        let found = self.store.get(value_key(key).as_bytes()).await;
        found.map_err(unreadable)?.map(|kv| item(&kv)).transpose()
    }

    /// What is set under a prefix.
    pub(crate) async fn range(&self, range: Range) -> Result<RangeAnswer, Error> {
        self.store.range(range).await.map_err(unreadable)
    }

    pub(crate) async fn watch(
        &self,
        prefix: &str,
        from: Revision,
    ) -> Result<EmbeddedWatch, WatchError> {
        self.store
            .watch(Keys::prefix(value_key(prefix)), from)
            .await
    }

    /// What every service has declared.
    pub(crate) async fn schemas(&self) -> Result<Vec<DeclareArgs>, Error> {
        let all = self.range(Range::prefix("schema/")).await?;
        let schema = |kv: &store::KeyValue| {
            let key = String::from_utf8_lossy(&kv.key);
            Ok(DeclareArgs {
                service: key.trim_start_matches("schema/").to_owned(),
                declarations: read(&kv.key, &kv.value)?,
            })
        };
        all.items.iter().map(schema).collect()
    }

    /// What a service has declared; `None` if nothing ever.
    pub(crate) async fn schema(&self, service: &str) -> Result<Option<Vec<Declaration>>, Error> {
        let found = self.store.get(format!("schema/{service}").as_bytes()).await;
        let found = found.map_err(unreadable)?;
        found.map(|kv| read(&kv.key, &kv.value)).transpose()
    }

    pub(crate) async fn history(&self, key: &str) -> Result<Vec<HistoryEntry>, Error> {
        let all = self.range(Range::prefix(history_prefix(key))).await?;
        let entry = |kv: &store::KeyValue| {
            let past: Past = read(&kv.key, &kv.value)?;
            Ok(HistoryEntry {
                number: past.number,
                revision: kv.modified.0,
                at_ms: past.at_ms,
                by: past.by,
                value: past.value,
                rollback_to: past.rollback_to,
            })
        };
        all.items.iter().rev().map(entry).collect()
    }

    /// Writes a key, if it is as the write asks and the value fits.
    pub(crate) async fn write(&self, wanted: Wanted) -> Result<SetReply, Error> {
        let _turn = self.writing.lock().await;
        self.check_fits(&wanted).await?;
        let history = self
            .range(Range::prefix(history_prefix(&wanted.key)))
            .await?;
        let now = self.store.get(value_key(&wanted.key).as_bytes()).await;
        let now = now.map_err(unreadable)?;
        check_revision(&wanted, now.as_ref().map(|kv| kv.modified.0))?;
        let last = history.items.last();
        let last = last
            .map(|kv| read::<Past>(&kv.key, &kv.value))
            .transpose()?;
        let last = last.map_or(0, |past| past.number);
        if wanted.value.is_none() && now.is_none() {
            let revision = history.items.last().map_or(0, |kv| kv.modified.0);
            return Ok(SetReply {
                revision,
                number: last,
            });
        }
        let number = last + 1;
        let too_old = (history.items.len() + 1).saturating_sub(HISTORY_MAX);
        let mut ops = ops_of(&wanted, number)?;
        ops.extend(
            history
                .items
                .iter()
                .take(too_old)
                .map(|kv| Op::delete(kv.key.clone())),
        );
        let committed = self.store.commit(Txn::of(ops)).await.map_err(uncommitted)?;
        let revision = committed.revision.0;
        Ok(SetReply { revision, number })
    }

    async fn check_fits(&self, wanted: &Wanted) -> Result<(), Error> {
        let Some(value) = &wanted.value else {
            return Ok(());
        };
        let service = service_of(&wanted.key);
        let Some(declared) = self.schema(service).await? else {
            return Ok(());
        };
        let name = wanted
            .key
            .strip_prefix(service)
            .and_then(|rest| rest.strip_prefix('/'));
        let name = name.unwrap_or_default();
        match declared.iter().find(|d| d.name == name) {
            Some(declaration) => declaration.value_type.check(value).map_err(|misfit| {
                let message = format!("{} cannot be `{}`", wanted.key, misfit.value);
                Error::invalid(reason::BAD_VALUE, message)
                    .with_hint(format!("{} is {}", wanted.key, misfit.expected))
            }),
            None if wanted.undeclared => Ok(()),
            None => Err(keys::undeclared(&wanted.key, service, &declared)),
        }
    }

    /// Declares all keys of a service, if what is set fits them.
    pub(crate) async fn declare(&self, args: DeclareArgs) -> Result<DeclareReply, Error> {
        keys::check_service(&args.service)?;
        if args.declarations.len() > DECLARATIONS_MAX {
            let message = format!("{} keys of one service", args.declarations.len());
            return Err(Error::invalid(reason::BAD_DECLARATION, message)
                .with_hint(format!("at most {DECLARATIONS_MAX}")));
        }
        for declaration in &args.declarations {
            keys::check(&format!("{}/{}", args.service, declaration.name))?;
            declaration.check().map_err(|why| {
                let message = format!("{}/{}: {why}", args.service, declaration.name);
                Error::invalid(reason::BAD_DECLARATION, message)
                    .with_hint("a default has to fit the type and range it is declared with")
            })?;
        }
        let _turn = self.writing.lock().await;
        let leftover = self.check_set_values(&args).await?;
        let key = format!("schema/{}", args.service);
        let text = json(&args.declarations)?;
        let before = self.store.get(key.as_bytes()).await.map_err(unreadable)?;
        if before.is_none_or(|kv| kv.value != text) {
            self.store.put(key, text).await.map_err(uncommitted)?;
        }
        Ok(DeclareReply { leftover })
    }

    async fn check_set_values(&self, args: &DeclareArgs) -> Result<Vec<String>, Error> {
        let prefix = value_key(&format!("{}/", args.service));
        let set = self.range(Range::prefix(prefix.clone())).await?;
        let mut leftover = Vec::new();
        for kv in &set.items {
            let item = item(kv)?;
            let name = item.key.split_once('/').map_or("", |(_, name)| name);
            let Some(declaration) = args.declarations.iter().find(|d| d.name == name) else {
                leftover.push(item.key);
                continue;
            };
            declaration
                .value_type
                .check(&item.value)
                .map_err(|misfit| {
                    let message = format!("{} is set, and {misfit}", item.key);
                    Error::new(Code::Conflict, reason::CONTRADICTS_VALUE, message)
                        .with_hint("set it to a value that fits, or delete it, then declare again")
                })?;
        }
        Ok(leftover)
    }
}

fn check_revision(wanted: &Wanted, found: Option<u64>) -> Result<(), Error> {
    let holds = match wanted.compare {
        Compare::Anything => true,
        Compare::Absent => found.is_none(),
        Compare::Revision(revision) => found == Some(revision),
    };
    if holds {
        return Ok(());
    }
    let is = found.map_or_else(|| "not set".to_owned(), |at| format!("at revision {at}"));
    let message = format!("{} is {is}", wanted.key);
    Err(Error::new(Code::Conflict, reason::REVISION_MOVED, message)
        .with_hint("somebody else wrote it; read it again, then decide"))
}

fn ops_of(wanted: &Wanted, number: u64) -> Result<Vec<Op>, Error> {
    let at_ms = now_ms();
    let by = wanted.by.clone();
    let past = Past {
        number,
        at_ms,
        by: by.clone(),
        value: wanted.value.clone(),
        rollback_to: wanted.rollback_to,
    };
    let value = match &wanted.value {
        Some(value) => {
            let value = value.clone();
            Op::put(value_key(&wanted.key), json(&Kept { value, at_ms, by })?)
        }
        None => Op::delete(value_key(&wanted.key)),
    };
    let history = format!("{}{number:020}", history_prefix(&wanted.key));
    Ok(vec![value, Op::put(history, json(&past)?)])
}

pub(crate) fn value_key(key: &str) -> String {
    format!("value/{key}")
}

/// A key has no zero byte: no key's history is in another's.
fn history_prefix(key: &str) -> String {
    format!("history/{key}\0")
}

/// What is kept at a key, as it travels.
pub(crate) fn item(kv: &store::KeyValue) -> Result<Item, Error> {
    let kept: Kept = read(&kv.key, &kv.value)?;
    let key = String::from_utf8_lossy(&kv.key);
    Ok(Item {
        key: key.strip_prefix("value/").unwrap_or(&key).to_owned(),
        value: kept.value,
        revision: kv.modified.0,
        at_ms: kept.at_ms,
        by: kept.by,
    })
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

fn read<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|e| {
        let key = String::from_utf8_lossy(key);
        let message = format!("the record {key} cannot be read: {e}");
        Error::internal(reason::STORE_FAILED, message)
            .with_hint("was it written by a newer version?")
    })
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))
}

fn unreadable(error: store::ReadError) -> Error {
    Error::internal(reason::STORE_FAILED, error.to_string())
}

fn uncommitted(error: CommitError) -> Error {
    let message = error.to_string();
    match error {
        CommitError::NoSpace { .. } => {
            Error::new(Code::ResourceExhausted, reason::NO_SPACE, message)
                .with_hint("free some disk, then try again: nothing was written")
        }
        _ => Error::new(Code::Unavailable, reason::STORE_FAILED, message)
            .with_hint("configuration ends itself when its disk fails; look at its log")
            .with_retry(Retry::IfIdempotent),
    }
}
