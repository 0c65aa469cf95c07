//! From one store to another: how state moves between engines.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::limits::{TXN_BYTES_MAX, TXN_OPS_MAX};
use crate::{
    CommitError, KeyValue, LeaseError, LeaseId, Op, Range, ReadError, Revision, Store, Txn,
};

/// How many keys are read at a time.
const PAGE: usize = 256;

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How many keys.
    pub keys: u64,
    /// As of when, in the store they came from.
    pub revision: Revision,
}

/// Why a copy is not whole. The store that was copied from is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// What was there would be mixed with what comes.
    #[error("the store to copy to has the key {key:?} already; name an empty one")]
    NotEmpty {
        /// One of its keys.
        key: String,
    },
    /// A read failed.
    #[error("failed to read what is to be copied")]
    Read(#[from] ReadError),
    /// A write failed; a part is written.
    #[error("failed to write the copy; empty the store it went to, then try again")]
    Write(#[from] CommitError),
    /// A lease could not be made anew; a part is written.
    #[error("failed to copy a lease; empty the store it went to, then try again")]
    Lease(#[source] LeaseError),
}

/// Copies every key of `from`, all as of one revision, to `to`, which has to be empty. Leases are
/// granted anew, with their full time; their names, all revisions and the past stay behind.
///
/// # Errors
/// [`CopyError`] says which side failed. Nobody else may write to `to` meanwhile.
pub async fn copy<A: Store, B: Store>(from: &A, to: &B) -> Result<Copied, CopyError> {
    let found = to.range(Range::prefix(Bytes::new()).limit(1)).await?;
    if let Some(item) = found.items.first() {
        let key = crate::limits::shown(&item.key);
        return Err(CopyError::NotEmpty { key });
    }
    let mut copy = Copy {
        to,
        leases: BTreeMap::new(),
        txn: Vec::new(),
        bytes: 0,
    };
    let mut next = Some(Range::prefix(Bytes::new()).limit(PAGE));
    let mut copied = Copied {
        keys: 0,
        revision: Revision(0),
    };
    while let Some(question) = next {
        let page = from.range(question.clone()).await?;
        next = question.after(&page);
        copied.revision = page.revision;
        for item in page.items {
            copied.keys += u64::from(copy.take(from, item).await?);
        }
    }
    copy.flush().await?;
    Ok(copied)
}

struct Copy<'a, B> {
    to: &'a B,
    /// What each lease is called there; none when it ended meanwhile.
    leases: BTreeMap<LeaseId, Option<LeaseId>>,
    txn: Vec<Op>,
    bytes: usize,
}

impl<B: Store> Copy<'_, B> {
    /// Whether it was taken: what has an ended lease is gone.
    async fn take<A: Store>(&mut self, from: &A, item: KeyValue) -> Result<bool, CopyError> {
        let lease = match item.lease {
            None => None,
            Some(id) => match self.lease(from, id).await? {
                None => return Ok(false),
                lease => lease,
            },
        };
        let size = item.key.len() + item.value.len();
        if self.txn.len() == TXN_OPS_MAX || self.bytes + size > TXN_BYTES_MAX {
            self.flush().await?;
        }
        self.bytes += size;
        self.txn.push(Op::Put {
            key: item.key,
            value: item.value,
            lease,
        });
        Ok(true)
    }

    async fn lease<A: Store>(
        &mut self,
        from: &A,
        id: LeaseId,
    ) -> Result<Option<LeaseId>, CopyError> {
        if let Some(known) = self.leases.get(&id) {
            return Ok(*known);
        }
        // A keep-alive is the one question that tells how long a lease lasts.
        let there = match from.keep_alive(id).await {
            Ok(lease) => {
                let granted = self.to.grant(lease.ttl).await;
                Some(granted.map_err(CopyError::Lease)?.id)
            }
            Err(LeaseError::NotFound(_)) => None,
            Err(error) => return Err(CopyError::Lease(error)),
        };
        self.leases.insert(id, there);
        Ok(there)
    }

    async fn flush(&mut self) -> Result<(), CopyError> {
        if !self.txn.is_empty() {
            self.bytes = 0;
            let txn = Txn::of(std::mem::take(&mut self.txn));
            self.to.commit(txn).await?;
        }
        Ok(())
    }
}
