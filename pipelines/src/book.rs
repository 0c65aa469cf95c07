//! The state on disk.
//!
//! | key | value, in JSON |
//! |---|---|
//! | `job/NAME` | the plan, and what is wished of it |
//! | `facts/NAME` | what is known of it |
//! | `checkpoint/NAME/EPOCH` | one checkpoint; the epoch with 20 digits |
//! | `log/NAME/NUMBER` | one entry of its log |
//! | `worker/NUMBER` | a worker that has connected |
//! | `next-worker` | the number of the next worker |
//!
//! What a step of a job writes is one transaction.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use pipelines::limits::EVENTS_MAX;
use pipelines::{LogEntry, reason};
use rpc::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{EmbeddedStore, KeyValue, Op, OpenError, Options, Range, ReadError, Store, Txn};
use streaming::{Facts, Row};

use crate::backend::WorkerRecord;
use crate::record::Record;

/// How many keys are read at a time.
const PAGE: usize = 1_000;
/// The most operations of one transaction; the store takes a few more.
const OPS_MAX: usize = 120;

/// An entry of a job's log, as it is kept.
#[derive(Serialize, Deserialize)]
struct Logged {
    at_ms: u64,
    text: String,
}

/// A job, as it was found on disk.
pub(crate) struct Stored {
    pub(crate) record: Record,
    pub(crate) facts: Option<Facts>,
    pub(crate) rows: Vec<Row>,
    /// The number of the newest entry of its log.
    pub(crate) logged: u64,
}

/// What one step writes. A key that is written twice has the later value.
#[derive(Default)]
pub(crate) struct Writes(BTreeMap<String, Option<Vec<u8>>>);

impl Writes {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn put(&mut self, key: String, value: &impl Serialize) {
        // Plain data: there is nothing in it that JSON does not have.
        let value = serde_json::to_vec(value).unwrap_or_default();
        self.0.insert(key, Some(value));
    }

    pub(crate) fn record(&mut self, record: &Record) {
        self.put(format!("job/{}", record.name), record);
    }

    pub(crate) fn facts(&mut self, job: &str, facts: &Facts) {
        self.put(format!("facts/{job}"), facts);
    }

    pub(crate) fn row(&mut self, job: &str, row: &Row) {
        self.put(format!("checkpoint/{job}/{:020}", row.id.epoch.0), row);
    }

    pub(crate) fn forget_row(&mut self, job: &str, epoch: u64) {
        self.0.insert(format!("checkpoint/{job}/{epoch:020}"), None);
    }

    pub(crate) fn log(&mut self, job: &str, number: u64, at_ms: u64, text: String) {
        self.put(format!("log/{job}/{number:020}"), &Logged { at_ms, text });
        if let Some(old) = number.checked_sub(EVENTS_MAX as u64) {
            self.0.insert(format!("log/{job}/{old:020}"), None);
        }
    }

    pub(crate) fn worker(&mut self, number: u64, worker: &WorkerRecord) {
        self.put(format!("worker/{number:020}"), worker);
        self.put("next-worker".into(), &(number + 1));
    }

    pub(crate) fn forget_worker(&mut self, number: u64) {
        self.0.insert(format!("worker/{number:020}"), None);
    }
}

/// The state on disk. Clones are the same.
#[derive(Clone)]
pub(crate) struct Book(std::sync::Arc<EmbeddedStore>);

fn failed(error: impl std::fmt::Display) -> Error {
    Error::internal(reason::STORE_FAILED, error.to_string())
}

fn read<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|error| {
        let key = String::from_utf8_lossy(key);
        failed(format!(
            "the record {key} cannot be read; was it written by a newer version? {error}"
        ))
    })
}

impl Book {
    /// The state in this folder, which is made if it is not there.
    pub(crate) fn open(folder: &Path) -> Result<Self, chassis::Failure> {
        let store = EmbeddedStore::open(folder, Options::default());
        let store = store.map_err(|error| cannot_open(&error))?;
        Ok(Self(std::sync::Arc::new(store)))
    }

    /// Waits until the disk has failed for good.
    pub(crate) async fn failed(&self) -> store::Failure {
        self.0.failed().await
    }

    /// Makes writes durable: one transaction, unless there are more than one can take.
    pub(crate) async fn write(&self, writes: Writes) -> Result<(), Error> {
        let op = |(key, value): (String, Option<Vec<u8>>)| match value {
            Some(value) => Op::put(key, value),
            None => Op::delete(key),
        };
        let mut ops: Vec<Op> = writes.0.into_iter().map(op).collect();
        while !ops.is_empty() {
            let rest = ops.split_off(ops.len().min(OPS_MAX));
            self.0.commit(Txn::of(ops)).await.map_err(failed)?;
            ops = rest;
        }
        Ok(())
    }

    async fn all(&self, prefix: String) -> Result<Vec<(Bytes, Bytes)>, Error> {
        let mut found = Vec::new();
        let take = |item: &KeyValue| {
            found.push((item.key.clone(), item.value.clone()));
            Ok::<_, ReadError>(())
        };
        let all = Range::prefix(prefix).limit(PAGE);
        self.0.recall(all, take).await.map_err(failed)?;
        Ok(found)
    }

    async fn values<T: DeserializeOwned>(&self, prefix: String) -> Result<Vec<T>, Error> {
        let all = self.all(prefix).await?;
        all.iter().map(|(key, value)| read(key, value)).collect()
    }

    /// Every job.
    pub(crate) async fn jobs(&self) -> Result<Vec<Stored>, Error> {
        let mut jobs = Vec::new();
        for record in self.values::<Record>("job/".into()).await? {
            let key = format!("facts/{}", record.name);
            let facts = self.0.get(key.as_bytes()).await.map_err(failed)?;
            let facts = facts.map(|kv| read(&kv.key, &kv.value)).transpose()?;
            let rows = self.rows(&record.name).await?;
            let log = self.all(format!("log/{}/", record.name)).await?;
            let logged = log.last().map_or(0, |(key, _)| number(key));
            jobs.push(Stored {
                record,
                facts,
                rows,
                logged,
            });
        }
        Ok(jobs)
    }

    /// A job's checkpoints, oldest first.
    pub(crate) async fn rows(&self, job: &str) -> Result<Vec<Row>, Error> {
        self.values(format!("checkpoint/{job}/")).await
    }

    /// A job's log after this number, oldest first.
    pub(crate) async fn log(&self, job: &str, after: u64) -> Result<Vec<LogEntry>, Error> {
        let all = self.all(format!("log/{job}/")).await?;
        let newer = all.iter().filter(|(key, _)| number(key) > after);
        let entry = |(key, value): &(Bytes, Bytes)| {
            let Logged { at_ms, text } = read(key, value)?;
            let number = number(key);
            Ok(LogEntry {
                number,
                at_ms,
                text,
            })
        };
        newer.map(entry).collect()
    }

    /// The workers that have connected, and the number of the next one.
    pub(crate) async fn workers(&self) -> Result<(BTreeMap<u64, WorkerRecord>, u64), Error> {
        let mut workers = BTreeMap::new();
        for (key, value) in self.all("worker/".into()).await? {
            workers.insert(number(&key), read(&key, &value)?);
        }
        let next = self.0.get(b"next-worker").await.map_err(failed)?;
        let next = next.map(|kv| read(&kv.key, &kv.value)).transpose()?;
        Ok((workers, next.unwrap_or(1)))
    }

    /// Forgets all of a job.
    pub(crate) async fn forget(&self, job: &str) -> Result<(), Error> {
        let mut writes = Writes::default();
        // The record goes last: what is half forgotten is still a job.
        for prefix in ["checkpoint", "log"] {
            for (key, _) in self.all(format!("{prefix}/{job}/")).await? {
                let key = String::from_utf8_lossy(&key).into_owned();
                writes.0.insert(key, None);
            }
        }
        self.write(writes).await?;
        let mut writes = Writes::default();
        writes.0.insert(format!("facts/{job}"), None);
        writes.0.insert(format!("job/{job}"), None);
        self.write(writes).await
    }
}

/// The number at the end of a key.
fn number(key: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(key);
    let digits = text.rsplit('/').next().unwrap_or_default();
    digits.parse().unwrap_or_default()
}

fn cannot_open(error: &OpenError) -> chassis::Failure {
    let failure = chassis::Failure::new(chassis::Exit::Unavailable, error.to_string());
    match error {
        OpenError::Held { .. } => failure.with_hint("`--data` names another data directory"),
        _ => failure,
    }
}
