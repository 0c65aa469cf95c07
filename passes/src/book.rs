//! The jobs on disk, and as they are shown. `job/ID` is a job in JSON; the id has 20 digits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use parking_lot::{Mutex as Lock, RwLock};
use passes::limits::{ACTIVE_MAX, HISTORY_MAX};
use passes::{JobInfo, JobSpec, StatsReply, Submitted, reason};
use rpc::{Code, Error};
use store::{EmbeddedStore, KeyValue, Op, Range, RecallError, Store, Txn};
use tokio::sync::{Mutex, Notify, watch};

use crate::nodes::Seen;
use crate::record::Record;
use crate::state::{Shape, State};

/// How many keys are read at a time.
const PAGE: usize = 1_000;

/// How many keys are written at a time.
const OPS_MAX: usize = 100;

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// All jobs. Clones are the same book.
#[derive(Clone)]
pub(crate) struct Book(Arc<Inner>);

struct Inner {
    store: EmbeddedStore,
    state: Mutex<State>,
    /// What is durable, with the change that made it so.
    shown: RwLock<BTreeMap<u64, (u64, Arc<JobInfo>)>>,
    changes: watch::Sender<u64>,
    wake: Notify,
    stats: Lock<(StatsReply, Option<Instant>)>,
}

impl Book {
    pub(crate) async fn load(store: EmbeddedStore, shape: Shape) -> Result<Self, RecallError> {
        let mut state = State::new(shape);
        let mut shown = BTreeMap::new();
        let all = Range::prefix(Bytes::from_static(b"job/")).limit(PAGE);
        let take = |item: &KeyValue| {
            let info = serde_json::from_slice::<JobInfo>(&item.value);
            let info = info.map_err(|e| RecallError::record(&item.key, e))?;
            shown.insert(info.id, (0, Arc::new(info.clone())));
            state.load(Record(info));
            Ok::<_, RecallError>(())
        };
        store.recall(all, take).await?;
        Ok(Self(Arc::new(Inner {
            store,
            state: Mutex::new(state),
            shown: RwLock::new(shown),
            changes: watch::Sender::new(0),
            wake: Notify::new(),
            stats: Lock::default(),
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

    /// Waits until there is something new to decide.
    pub(crate) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    pub(crate) fn get(&self, id: u64) -> Option<Arc<JobInfo>> {
        Some(Arc::clone(&self.0.shown.read().get(&id)?.1))
    }

    /// Newest first.
    pub(crate) fn list(&self, wanted: impl Fn(&JobInfo) -> bool, limit: usize) -> Vec<JobInfo> {
        let shown = self.0.shown.read();
        let all = shown.values().rev().map(|(_, job)| job);
        all.filter(|job| wanted(job))
            .take(limit)
            .map(|job| JobInfo::clone(job))
            .collect()
    }

    /// What changed after a change, oldest first, and the change that this is as of.
    pub(crate) fn after(&self, change: Option<u64>) -> (Vec<Arc<JobInfo>>, u64) {
        let shown = self.0.shown.read();
        let newer = shown
            .values()
            .filter(|(at, _)| change.is_none_or(|change| *at > change));
        let mut newer: Vec<_> = newer.cloned().collect();
        newer.sort_by_key(|(at, job)| (*at, job.id));
        (
            newer.into_iter().map(|(_, job)| job).collect(),
            *self.0.changes.borrow(),
        )
    }

    pub(crate) fn stats(&self) -> StatsReply {
        let (stats, looked) = self.0.stats.lock().clone();
        let ago = looked.map_or(u64::MAX, |looked| looked.elapsed().as_millis() as u64);
        StatsReply {
            looked_ms_ago: ago,
            ..stats
        }
    }

    pub(crate) async fn submit(
        &self,
        jobs: Vec<JobSpec>,
        by: String,
    ) -> Result<Vec<Submitted>, Error> {
        let book = self.clone();
        whole(async move {
            let mut state = book.0.state.lock().await;
            if !state.knows_nodes() {
                let message = "nothing is known of the nodes yet";
                return Err(Error::new(Code::Unavailable, reason::NO_NODES_YET, message)
                    .with_hint("is scheduling up? Try again in a moment"));
            }
            if state.active() + jobs.len() > ACTIVE_MAX {
                let message = format!("{} jobs wait or run", state.active());
                return Err(
                    Error::new(Code::ResourceExhausted, reason::TOO_MANY, message).with_hint(
                        format!("at most {ACTIVE_MAX} may; wait until some are over"),
                    ),
                );
            }
            let now = now_ms();
            let results = jobs
                .into_iter()
                .map(|job| state.submit(job, &by, now))
                .collect();
            book.commit(&mut state).await?;
            book.0.wake.notify_one();
            Ok(results)
        })
        .await
    }

    pub(crate) async fn cancel(&self, id: u64, by: String) -> Result<(), Error> {
        let book = self.clone();
        whole(async move {
            let mut state = book.0.state.lock().await;
            if state.cancel(id, &by, now_ms()) {
                book.commit(&mut state).await?;
                book.0.wake.notify_one();
                return Ok(());
            }
            Err(match book.get(id) {
                None => unknown(id),
                Some(job) => {
                    let message = format!("job {id} is {}", job.phase.as_str());
                    Error::new(Code::Conflict, reason::JOB_OVER, message)
                        .with_hint("it is over already: nothing is left to be cancelled")
                }
            })
        })
        .await
    }

    /// Decides what starts, stops and moves, durably: the jobs that should have a process now.
    pub(crate) async fn turn(&self, seen: &Seen) -> Result<Vec<Record>, Error> {
        let mut state = self.0.state.lock().await;
        let begun = Instant::now();
        state.turn(seen, now_ms());
        let mut stats = state.stats();
        stats.tick_us = begun.elapsed().as_micros() as u64;
        *self.0.stats.lock() = (stats, Some(begun));
        self.commit(&mut state).await?;
        Ok(state.running().cloned().collect())
    }

    pub(crate) async fn cannot_start(&self, id: u64, why: String) -> Result<(), Error> {
        let mut state = self.0.state.lock().await;
        state.cannot_start(id, why, now_ms());
        self.commit(&mut state).await
    }

    /// Whether anything waits or runs.
    pub(crate) async fn is_busy(&self) -> bool {
        self.0.state.lock().await.active() > 0
    }

    async fn commit(&self, state: &mut State) -> Result<(), Error> {
        let touched = state.take_touched();
        if touched.is_empty() {
            return Ok(());
        }
        let mut ops = Vec::with_capacity(touched.len());
        for record in &touched {
            let json = serde_json::to_vec(&record.0);
            let json = json.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?;
            ops.push(Op::put(key(record.0.id), json));
        }
        let forgotten = self.forgettable(touched.len());
        ops.extend(forgotten.iter().map(|job| Op::delete(key(job.id))));
        // In parts: jobs do not depend on each other, and whoever waits is answered after the last.
        for part in ops.chunks(OPS_MAX) {
            let committed = self.0.store.commit(Txn::of(part.to_vec())).await;
            committed.map_err(|e| {
                Error::new(Code::Unavailable, reason::STORE_FAILED, e.to_string())
                    .with_hint("passes ends itself when its disk fails; look at its log")
            })?;
        }
        for job in &forgotten {
            state.forget(&job.spec.key);
        }
        self.show(touched, &forgotten);
        Ok(())
    }

    fn show(&self, touched: Vec<Record>, forgotten: &[Arc<JobInfo>]) {
        let mut shown = self.0.shown.write();
        let change = *self.0.changes.borrow() + 1;
        for job in forgotten {
            shown.remove(&job.id);
        }
        for record in touched {
            shown.insert(record.0.id, (change, Arc::new(record.0)));
        }
        self.0.changes.send_replace(change);
    }

    /// The oldest that are over, when there are too many.
    fn forgettable(&self, more: usize) -> Vec<Arc<JobInfo>> {
        let shown = self.0.shown.read();
        let excess = (shown.len() + more).saturating_sub(ACTIVE_MAX + HISTORY_MAX);
        let over = shown
            .values()
            .map(|(_, job)| job)
            .filter(|job| job.phase.is_over());
        over.take(excess).cloned().collect()
    }
}

/// To the end, also when whoever asked goes away in the middle.
async fn whole<T: Send + 'static>(
    change: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let changed = tokio::spawn(change).await;
    changed.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?
}

pub(crate) fn unknown(id: u64) -> Error {
    Error::not_found(reason::UNKNOWN_JOB, format!("there is no job {id}"))
        .with_hint("`list` shows the jobs there are")
}

fn key(id: u64) -> String {
    format!("job/{id:020}")
}

/// While scheduling is away, and while there is nothing to do.
pub(crate) const IDLE: Duration = Duration::from_secs(1);
