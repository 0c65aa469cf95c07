//! What the leader does: from the wire to the store and back.

use std::time::Duration;

use bytes::Bytes;
use rpc::{Code, Error, Retry};
use storage::{
    Comparison, DeleteArgs, Field, GetArgs, GetReply, GrantArgs, Is, Item, KEY_BYTES_MAX,
    KeepAliveArgs, Keys, Lease, Operation, Outcome, PutArgs, RevokeArgs, ScanArgs, ScanReply,
    TxnArgs, TxnReply, VALUE_BYTES_MAX, WatchArgs, Written, reason,
};
use store::{
    CommitError, EmbeddedStore, EmbeddedWatch, LeaseError, LeaseId, Op, OpResult, Range, ReadError,
    Revision, Store, Txn, WatchError,
};

/// Items in one page when nobody says how many.
const PAGE: u32 = 1_000;
/// Bytes of keys and values in one page, about: half of what a frame takes.
const PAGE_BYTES: usize = 2 << 20;
/// What an item takes beside its key and value, in bytes, at most.
const ITEM_BYTES: usize = 64;

pub(crate) async fn get(store: &EmbeddedStore, args: GetArgs) -> Result<GetReply, Error> {
    check_key(&args.key)?;
    let found = store.get(args.key.as_bytes()).await.map_err(unread)?;
    let item = found.map(item).transpose()?;
    Ok(GetReply { item })
}

pub(crate) async fn put(store: &EmbeddedStore, args: PutArgs) -> Result<Written, Error> {
    let txn = Txn::of(vec![op(Operation::Put(args))?]);
    let committed = store.commit(txn).await.map_err(uncommitted)?;
    let revision = committed.revision.0;
    Ok(Written { revision })
}

pub(crate) async fn delete(store: &EmbeddedStore, args: DeleteArgs) -> Result<Written, Error> {
    let txn = Txn::of(vec![op(Operation::Delete(args))?]);
    let committed = store.commit(txn).await.map_err(uncommitted)?;
    let revision = committed.revision.0;
    Ok(Written { revision })
}

pub(crate) async fn scan(store: &EmbeddedStore, args: ScanArgs) -> Result<ScanReply, Error> {
    let limit = if args.limit == 0 {
        PAGE
    } else {
        args.limit.min(PAGE)
    };
    let mut range = match args.keys {
        Keys::Prefix(prefix) => Range::prefix(prefix),
        Keys::Span { start, end } => Range::span(start, end),
    };
    range = range.limit(limit as usize);
    range.at = args.revision.map(Revision);
    if !args.cursor.is_empty() {
        let (revision, key) = read_cursor(&args.cursor)?;
        range.at = Some(revision);
        range.skip_to = Some(format!("{key}\0").into());
    }
    let mut page = store.range(range).await.map_err(unread)?;
    let mut bytes = 0;
    let fitting = page.items.iter().position(|kv| {
        bytes += kv.key.len() + kv.value.len() + ITEM_BYTES;
        bytes > PAGE_BYTES
    });
    if let Some(fitting) = fitting {
        page.items.truncate(fitting.max(1));
        page.more = true;
    }
    let items = page
        .items
        .into_iter()
        .map(item)
        .collect::<Result<Vec<_>, _>>()?;
    let last = items.last().filter(|_| page.more);
    let cursor = last.map(|last| format!("{}:{}", page.revision.0, last.key));
    Ok(ScanReply {
        cursor: cursor.unwrap_or_default(),
        revision: page.revision.0,
        items,
    })
}

/// `REVISION:KEY`, the last one of the page before.
fn read_cursor(cursor: &str) -> Result<(Revision, &str), Error> {
    let parts = cursor.split_once(':');
    let read = parts.and_then(|(revision, key)| Some((Revision(revision.parse().ok()?), key)));
    read.ok_or_else(|| {
        Error::invalid(reason::BAD_CURSOR, "the cursor is none of this service's")
            .with_hint("give back what the page before said, as it is")
    })
}

pub(crate) async fn txn(store: &EmbeddedStore, args: TxnArgs) -> Result<TxnReply, Error> {
    let ops = |all: Vec<Operation>| all.into_iter().map(op).collect::<Result<Vec<_>, _>>();
    let compare = args.compare.into_iter().map(compare);
    let txn = Txn {
        compare: compare.collect::<Result<_, _>>()?,
        then: ops(args.then)?,
        otherwise: ops(args.otherwise)?,
    };
    let committed = store.commit(txn).await.map_err(uncommitted)?;
    let outcome = |result| {
        Ok(match result {
            OpResult::Put => Outcome::Put,
            OpResult::Delete { existed } => Outcome::Delete(existed),
            OpResult::Get(found) => Outcome::Get(found.map(item).transpose()?),
        })
    };
    let outcomes = committed.results.into_iter().map(outcome);
    Ok(TxnReply {
        succeeded: committed.succeeded,
        revision: committed.revision.0,
        outcomes: outcomes.collect::<Result<_, Error>>()?,
    })
}

/// A watch, and the revision up to which there is nothing to tell.
pub(crate) async fn watch(
    store: &EmbeddedStore,
    args: &WatchArgs,
) -> Result<(EmbeddedWatch, u64), Error> {
    let keys = match args.keys.clone() {
        Keys::Prefix(prefix) => store::Keys::prefix(prefix),
        Keys::Span { start, end } => store::Keys::Span {
            start: start.into(),
            end: end.into(),
        },
    };
    let from = match args.from {
        Some(from) => Revision(from),
        None => store.status().await.map_err(unread)?.revision.next(),
    };
    let watch = store.watch(keys, from).await.map_err(unwatched)?;
    Ok((watch, from.0.saturating_sub(1)))
}

pub(crate) async fn grant(store: &EmbeddedStore, args: GrantArgs) -> Result<Lease, Error> {
    let granted = store.grant(Duration::from_millis(args.ttl_ms)).await;
    granted.map(lease).map_err(unleased)
}

pub(crate) async fn keep_alive(store: &EmbeddedStore, args: KeepAliveArgs) -> Result<Lease, Error> {
    let kept = store.keep_alive(LeaseId(args.id)).await;
    kept.map(lease).map_err(unleased)
}

pub(crate) async fn revoke(store: &EmbeddedStore, args: RevokeArgs) -> Result<Written, Error> {
    let revision = store.revoke(LeaseId(args.id)).await.map_err(unleased)?.0;
    Ok(Written { revision })
}

fn lease(lease: store::Lease) -> Lease {
    Lease {
        id: lease.id.0,
        ttl_ms: u64::try_from(lease.ttl.as_millis()).unwrap_or(u64::MAX),
    }
}

/// As it travels. Only what came over the wire is in the store, so every key is text.
pub(crate) fn item(kv: store::KeyValue) -> Result<Item, Error> {
    Ok(Item {
        key: text(&kv.key)?,
        value: kv.value,
        created: kv.created.0,
        modified: kv.modified.0,
        version: kv.version,
        lease: kv.lease.map(|lease| lease.0),
    })
}

pub(crate) fn text(key: &Bytes) -> Result<String, Error> {
    String::from_utf8(key.to_vec())
        .map_err(|_| Error::internal(reason::STORE_FAILED, "a key in the store is no text"))
}

fn op(operation: Operation) -> Result<Op, Error> {
    Ok(match operation {
        Operation::Put(args) => {
            check_key(&args.key)?;
            if args.value.len() > VALUE_BYTES_MAX {
                let message = format!("the value of {} has {} bytes", args.key, args.value.len());
                return Err(Error::new(Code::TooLarge, reason::VALUE_TOO_LARGE, message)
                    .with_hint(format!(
                        "at most {VALUE_BYTES_MAX}; split it over several keys"
                    )));
            }
            Op::Put {
                key: args.key.into(),
                value: args.value,
                lease: args.lease.map(LeaseId),
            }
        }
        Operation::Delete(args) => {
            check_key(&args.key)?;
            Op::delete(args.key)
        }
        Operation::Get(args) => {
            check_key(&args.key)?;
            Op::Get {
                key: args.key.into(),
            }
        }
    })
}

fn compare(comparison: Comparison) -> Result<store::Compare, Error> {
    check_key(&comparison.key)?;
    Ok(store::Compare {
        key: comparison.key.into(),
        is: match comparison.is {
            Is::Equal => store::Is::Equal,
            Is::NotEqual => store::Is::NotEqual,
            Is::Greater => store::Is::Greater,
            Is::Less => store::Is::Less,
        },
        field: match comparison.field {
            Field::Value(value) => store::Field::Value(value.into()),
            Field::Modified(revision) => store::Field::Modified(Revision(revision)),
            Field::Created(revision) => store::Field::Created(Revision(revision)),
            Field::Version(version) => store::Field::Version(version),
        },
    })
}

fn check_key(key: &str) -> Result<(), Error> {
    if (1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(());
    }
    let message = format!("a key of {} bytes", key.len());
    Err(Error::invalid(reason::LIMIT, message)
        .with_hint(format!("a key has 1 to {KEY_BYTES_MAX} bytes")))
}

fn unread(error: ReadError) -> Error {
    let message = error.to_string();
    match error {
        ReadError::Compacted { .. } => Error::new(Code::Conflict, reason::COMPACTED, message)
            .with_hint("begin again, without cursor and revision"),
        ReadError::Future { .. } => Error::invalid(reason::FUTURE_REVISION, message)
            .with_hint("leave the revision out to read what is there now"),
        _ => failed(message),
    }
}

pub(crate) fn unwatched(error: WatchError) -> Error {
    let message = error.to_string();
    match error {
        WatchError::Compacted { .. } => Error::new(Code::Conflict, reason::COMPACTED, message)
            .with_hint("scan the keys, then watch from the next revision after that answer's"),
        _ => failed(message),
    }
}

fn unleased(error: LeaseError) -> Error {
    let message = error.to_string();
    match error {
        LeaseError::NotFound(_) => Error::not_found(reason::UNKNOWN_LEASE, message)
            .with_hint("its keys are gone; grant a new one"),
        LeaseError::Refused(_) => Error::invalid(reason::BAD_TTL, message)
            .with_hint("a lease lasts from 1 ms to 24 hours"),
        LeaseError::NoSpace { .. } => {
            Error::new(Code::ResourceExhausted, reason::NO_SPACE, message)
                .with_hint("free some disk, then try again: nothing was written")
        }
        _ => failed(message),
    }
}

fn uncommitted(error: CommitError) -> Error {
    let message = error.to_string();
    match error {
        CommitError::NoSpace { .. } => {
            Error::new(Code::ResourceExhausted, reason::NO_SPACE, message)
                .with_hint("free some disk, then try again: nothing was written")
        }
        CommitError::Refused(_) => Error::invalid(reason::LIMIT, message)
            .with_hint("at most 128 operations and 1.5 MiB, each key written once"),
        CommitError::LeaseNotFound(_) => Error::not_found(reason::UNKNOWN_LEASE, message)
            .with_hint("grant a new one; nothing was written"),
        _ => failed(message),
    }
}

fn failed(message: String) -> Error {
    Error::new(Code::Unavailable, reason::STORE_FAILED, message)
        .with_hint("a leader whose disk fails ends itself, and another one leads")
        .with_retry(Retry::IfIdempotent)
}
