//! The state on disk: one transaction for a change and its entry in the audit log.
//!
//! | key | value, in JSON |
//! |---|---|
//! | `token/ID` | a token, by its digest; the id with 20 digits |
//! | `role/NAME` | a role |
//! | `secret/NAME` | a secret, sealed (`vault`) |
//! | `audit/NUMBER` | an entry of the audit log; the number with 20 digits |

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chassis::trust::{KnownToken, RecordedCall};
use chassis::{Exit, Failure};
use parking_lot::RwLock;
use rpc::{Code, Error};
use security::{AuditArgs, AuditEntry, AuditReply, Role, limits, reason};
use store::{
    CommitError, EmbeddedStore, KeyValue, Op, OpenError, Options, Range, RecallError, Store, Txn,
};
use tokio::sync::{Mutex, watch};

use crate::audit::{Head, KEPT};
use crate::state::{State, TokenRecord, Write, first_roles};
use crate::vault::SecretRecord;

/// How many keys are read at a time.
const PAGE: usize = 1_000;
/// How many entries one question to the audit log looks at.
const LOOKED_AT_MAX: usize = 20_000;
/// How many entries one transaction adds.
const BATCH: usize = 100;

/// Why the state could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Recall(#[from] RecallError),
    #[error("failed to write the first roles")]
    First(#[source] Error),
}

/// The state, and the way to change it. Clones are the same book.
#[derive(Clone)]
pub(crate) struct Book(Arc<Inner>);

struct Inner {
    store: EmbeddedStore,
    state: RwLock<State>,
    /// Held while a change is made: what was decided on is what is changed.
    head: Mutex<Head>,
    changes: watch::Sender<u64>,
}

impl Book {
    /// Opens the state in this folder.
    pub(crate) async fn open(folder: &Path) -> Result<Self, Failure> {
        let store = EmbeddedStore::open(folder, Options::default());
        Ok(Self::load(store.map_err(|e| cannot_open(&e))?).await?)
    }

    async fn load(store: EmbeddedStore) -> Result<Self, LoadError> {
        let (mut state, mut head) = (State::default(), Head::default());
        let all = Range::prefix(Bytes::new()).limit(PAGE);
        let take = |item: &KeyValue| recall(&mut state, &mut head, item);
        store.recall(all, take).await?;
        let book = Self(Arc::new(Inner {
            changes: watch::Sender::new(state.changes()),
            store,
            state: RwLock::new(state),
            head: Mutex::new(head),
        }));
        if book.read(|state| state.roles().is_empty()) {
            let roles = first_roles().into_iter().map(Write::PutRole).collect();
            let made = book.change(None, |_| Ok((roles, ()))).await;
            made.map_err(LoadError::First)?;
        }
        Ok(book)
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.state.read())
    }

    /// Somebody used a token. Not durable: it would be a write for each call.
    pub(crate) fn used(&self, label: &str, at_ms: u64) {
        self.0.state.write().used(label, at_ms);
    }

    /// Counts changes, for those who wait for the next one.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// What changed after so many changes, and how many there are now.
    pub(crate) fn known_after(&self, changes: u64) -> (Vec<KnownToken>, u64) {
        self.read(|state| (state.known_after(changes), state.changes()))
    }

    /// Decides, makes it durable together with its entry in the audit log, and then shows it. A
    /// caller that goes away in the middle stops nothing.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        record: Option<RecordedCall>,
        decide: impl FnOnce(&State) -> Result<(Vec<Write>, T), Error> + Send + 'static,
    ) -> Result<T, Error> {
        let book = self.clone();
        let changed = tokio::spawn(async move { book.change_whole(record, decide).await });
        changed.await.map_err(|e| {
            Error::internal(
                "change-lost",
                format!("the change did not come to an end: {e}"),
            )
        })?
    }

    async fn change_whole<T>(
        &self,
        record: Option<RecordedCall>,
        decide: impl FnOnce(&State) -> Result<(Vec<Write>, T), Error>,
    ) -> Result<T, Error> {
        let mut head = self.0.head.lock().await;
        let (writes, answer) = self.read(decide)?;
        if writes.is_empty() {
            return Ok(answer);
        }
        let mut ops: Vec<Op> = writes.iter().map(op).collect();
        let mut next = head.clone();
        if let Some(call) = record {
            ops.extend(entry_ops(&next.append(call)));
        }
        self.commit(ops).await?;
        *head = next;
        let changes = {
            let mut state = self.0.state.write();
            for write in writes {
                state.apply(write);
            }
            state.changes()
        };
        self.0.changes.send_replace(changes);
        Ok(answer)
    }

    /// Adds what was called elsewhere.
    pub(crate) async fn record(&self, calls: Vec<RecordedCall>) -> Result<(), Error> {
        let book = self.clone();
        let recorded = tokio::spawn(async move {
            let mut head = book.0.head.lock().await;
            for batch in calls.chunks(BATCH) {
                let mut next = head.clone();
                let entries = batch.iter().map(|call| next.append(call.clone()));
                let ops = entries.flat_map(|entry| entry_ops(&entry)).collect();
                book.commit(ops).await?;
                *head = next;
            }
            Ok(())
        });
        recorded.await.map_err(|e| {
            Error::internal(
                "change-lost",
                format!("the record did not come to an end: {e}"),
            )
        })?
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<(), Error> {
        let committed = self.0.store.commit(Txn::of(ops)).await;
        committed.map(drop).map_err(|e: CommitError| {
            Error::new(Code::Unavailable, reason::STORE_FAILED, e.to_string())
                .with_hint("security ends itself when its disk fails; look at its log")
        })
    }

    /// Waits until the disk has failed for good.
    pub(crate) async fn failed(&self) -> store::Failure {
        self.0.store.failed().await
    }

    /// A page of the audit log.
    pub(crate) async fn audit(&self, args: AuditArgs) -> Result<AuditReply, Error> {
        let most = limits::AUDIT_PAGE_MAX as usize;
        let wanted = if args.limit == 0 {
            most
        } else {
            (args.limit as usize).min(most)
        };
        let wanted_call = |call: &RecordedCall| {
            args.caller
                .as_ref()
                .is_none_or(|caller| *caller == call.caller)
                && args
                    .service
                    .as_ref()
                    .is_none_or(|service| *service == call.service)
        };
        let (mut entries, mut after, mut looked_at) = (Vec::new(), args.after, 0);
        loop {
            let from = audit_key(after.saturating_add(1));
            let range = Range::span(from, Bytes::from_static(b"audit0")).limit(PAGE);
            let page = self.0.store.range(range).await;
            let page = page.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?;
            for item in &page.items {
                let entry: AuditEntry = serde_json::from_slice(&item.value)
                    .map_err(|e| Error::internal("bad-record", e.to_string()))?;
                after = entry.number;
                if wanted_call(&entry.call) {
                    entries.push(entry);
                }
                if entries.len() == wanted {
                    break;
                }
            }
            looked_at += page.items.len();
            let full = entries.len() == wanted;
            if full || !page.more || looked_at >= LOOKED_AT_MAX {
                let next = (full || page.more).then_some(after);
                return Ok(AuditReply { entries, next });
            }
        }
    }
}

fn cannot_open(error: &OpenError) -> Failure {
    let failure = Failure::new(Exit::Unavailable, error.to_string());
    match error {
        OpenError::Held { .. } => failure.with_hint("`--data` names another data directory"),
        _ => failure,
    }
}

fn recall(state: &mut State, head: &mut Head, item: &KeyValue) -> Result<(), RecallError> {
    let (key, value) = (String::from_utf8_lossy(&item.key), &item.value);
    let wrong = |source: serde_json::Error| RecallError::record(&item.key, source);
    match key.split_once('/').map(|(kind, _)| kind) {
        Some("token") => {
            let token: TokenRecord = serde_json::from_slice(value).map_err(wrong)?;
            state.apply(Write::PutToken(token));
        }
        Some("role") => {
            let role: Role = serde_json::from_slice(value).map_err(wrong)?;
            state.apply(Write::PutRole(role));
        }
        Some("secret") => {
            let secret: SecretRecord = serde_json::from_slice(value).map_err(wrong)?;
            state.apply(Write::PutSecret(secret));
        }
        Some("audit") => {
            let entry: AuditEntry = serde_json::from_slice(value).map_err(wrong)?;
            head.follow(&entry);
        }
        _ => tracing::warn!(%key, "passed over a record that nobody knows"),
    }
    Ok(())
}

fn op(write: &Write) -> Op {
    match write {
        Write::PutToken(token) => Op::put(token_key(token.id), json(token)),
        Write::ForgetToken(id) => Op::delete(token_key(*id)),
        Write::PutRole(role) => Op::put(format!("role/{}", role.name), json(role)),
        Write::DropRole(name) => Op::delete(format!("role/{name}")),
        Write::PutSecret(secret) => Op::put(format!("secret/{}", secret.name), json(secret)),
        Write::DropSecret(name) => Op::delete(format!("secret/{name}")),
    }
}

fn entry_ops(entry: &AuditEntry) -> Vec<Op> {
    let mut ops = vec![Op::put(audit_key(entry.number), json(entry))];
    if let Some(old) = entry.number.checked_sub(KEPT).filter(|old| *old > 0) {
        ops.push(Op::delete(audit_key(old)));
    }
    ops
}

fn token_key(id: u64) -> String {
    format!("token/{id:020}")
}

fn audit_key(number: u64) -> String {
    format!("audit/{number:020}")
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Plain structs of text and numbers; there is nothing in them that JSON has no form for.
    serde_json::to_vec(value).unwrap_or_default()
}
