//! Our nouns as etcd's, and back.

use std::time::Duration;

use bytes::Bytes;
use etcd_client::{
    Compare as TheirCompare, CompareOp, GetOptions, KeyValue as TheirItem, PutOptions,
    ResponseHeader, Txn as TheirTxn, TxnOp, TxnOpResponse, TxnResponse, WatchOptions,
};

use crate::{
    Committed, Compare, Field, Is, KeyValue, Keys, LeaseId, Op, OpResult, Range, Revision, Txn,
};

/// The keys of one store among all of the cluster.
#[derive(Clone, Debug)]
pub(super) struct Space {
    prefix: Bytes,
}

pub(super) fn to_revision(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

pub(super) fn revision(theirs: i64) -> Revision {
    Revision(u64::try_from(theirs).unwrap_or(0))
}

pub(super) fn revision_of(header: Option<&ResponseHeader>) -> Revision {
    revision(header.map_or(0, ResponseHeader::revision))
}

pub(super) fn to_lease(id: LeaseId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}

/// Zero is no lease.
pub(super) fn lease(theirs: i64) -> Option<LeaseId> {
    u64::try_from(theirs).ok().filter(|id| *id > 0).map(LeaseId)
}

pub(super) fn seconds(theirs: i64) -> Duration {
    Duration::from_secs(u64::try_from(theirs).unwrap_or(0))
}

/// The first key after all that begin with `prefix`; a zero byte is etcd's word for "no end".
fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

impl Space {
    pub(super) fn new(prefix: Bytes) -> Self {
        Self { prefix }
    }

    pub(super) fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.prefix, key].concat()
    }

    /// The first key, and the first that no longer belongs.
    pub(super) fn span(&self, keys: &Keys) -> (Vec<u8>, Vec<u8>) {
        match keys {
            Keys::Prefix(prefix) => {
                let start = self.key(prefix);
                let end = after_prefix(&start);
                (start, end)
            }
            Keys::Span { start, end } => (self.key(start), self.key(end)),
        }
    }

    pub(super) fn question(&self, range: &Range) -> (Vec<u8>, GetOptions) {
        let (mut start, end) = self.span(&range.keys);
        if let Some(skip_to) = &range.skip_to {
            start = start.max(self.key(skip_to));
        }
        let mut options = GetOptions::new().with_range(end);
        if range.limit > 0 {
            options = options.with_limit(i64::try_from(range.limit).unwrap_or(i64::MAX));
        }
        if let Some(at) = range.at {
            // Zero would be the present; at revision 1 every cluster is empty.
            options = options.with_revision(to_revision(at).max(1));
        }
        (start, options)
    }

    pub(super) fn watch(&self, keys: &Keys, from: Revision) -> (Vec<u8>, WatchOptions) {
        let (start, end) = self.span(keys);
        let options = WatchOptions::new().with_range(end);
        // Zero would be the present.
        (start, options.with_start_revision(to_revision(from).max(1)))
    }

    /// The key without the prefix.
    pub(super) fn own(&self, key: &[u8]) -> Bytes {
        let own = key.strip_prefix(self.prefix.as_ref());
        Bytes::copy_from_slice(own.unwrap_or(key))
    }

    pub(super) fn item(&self, item: TheirItem) -> KeyValue {
        let (created, modified) = (item.create_revision(), item.mod_revision());
        let version = u64::try_from(item.version()).unwrap_or(0);
        let lease = lease(item.lease());
        let (key, value) = item.into_key_value();
        KeyValue {
            key: self.own(&key),
            value: value.into(),
            created: revision(created),
            modified: revision(modified),
            version,
            lease,
        }
    }

    pub(super) fn txn(&self, txn: &Txn) -> TheirTxn {
        let ops = |ops: &[Op]| ops.iter().map(|op| self.op(op)).collect::<Vec<_>>();
        let compare = txn.compare.iter().map(|compare| self.compare(compare));
        TheirTxn::new()
            .when(compare.collect::<Vec<_>>())
            .and_then(ops(&txn.then))
            .or_else(ops(&txn.otherwise))
    }

    fn op(&self, op: &Op) -> TxnOp {
        let key = self.key(op.key());
        match op {
            Op::Put { value, lease, .. } => {
                let options = lease.map(|id| PutOptions::new().with_lease(to_lease(id)));
                TxnOp::put(key, value.to_vec(), options)
            }
            Op::Delete { .. } => TxnOp::delete(key, None),
            Op::Get { .. } => TxnOp::get(key, None),
        }
    }

    fn compare(&self, compare: &Compare) -> TheirCompare {
        let key = self.key(&compare.key);
        let is = match compare.is {
            Is::Equal => CompareOp::Equal,
            Is::NotEqual => CompareOp::NotEqual,
            Is::Greater => CompareOp::Greater,
            Is::Less => CompareOp::Less,
        };
        match &compare.field {
            Field::Value(value) => TheirCompare::value(key, is, value.to_vec()),
            Field::Modified(at) => TheirCompare::mod_revision(key, is, to_revision(*at)),
            Field::Created(at) => TheirCompare::create_revision(key, is, to_revision(*at)),
            Field::Version(version) => {
                TheirCompare::version(key, is, i64::try_from(*version).unwrap_or(i64::MAX))
            }
        }
    }

    pub(super) fn committed(&self, answer: &TxnResponse) -> Committed {
        let results = answer.op_responses().into_iter();
        Committed {
            succeeded: answer.succeeded(),
            revision: revision_of(answer.header()),
            results: results.map(|result| self.result(result)).collect(),
        }
    }

    fn result(&self, result: TxnOpResponse) -> OpResult {
        match result {
            // A transaction within one is never asked for.
            TxnOpResponse::Put(_) | TxnOpResponse::Txn(_) => OpResult::Put,
            TxnOpResponse::Delete(answer) => OpResult::Delete {
                existed: answer.deleted() > 0,
            },
            TxnOpResponse::Get(mut answer) => {
                let found = answer.take_kvs().into_iter().next();
                OpResult::Get(found.map(|item| self.item(item)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_first_key_that_does_not_begin_with_it() {
        assert_eq!(after_prefix(b"a/"), b"a0");
        assert_eq!(after_prefix(b"a\xff\xff"), b"b");
        assert_eq!(after_prefix(b"\xff\xff"), b"\0", "no key is beyond");
    }

    #[test]
    fn a_page_begins_after_the_one_before_and_stays_in_the_prefix() {
        let space = Space::new(Bytes::from_static(b"p/"));
        let (start, _) = space.question(&Range::prefix("k"));
        assert_eq!(start, b"p/k");
        let mut range = Range::prefix("k");
        range.skip_to = Some(Bytes::from_static(b"k5\0"));
        assert_eq!(space.question(&range).0, b"p/k5\0");
        assert_eq!(space.own(b"p/k5"), "k5");
    }
}
