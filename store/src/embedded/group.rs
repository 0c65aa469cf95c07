//! What a group of requests comes to, before any of it is written: each transaction sees those
//! before it in the group, and takes the next revision if it changes anything. No disk here.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::index::Index;
use super::leases::Leases;
use crate::{Change, CommitError, Committed, Event, KeyValue, LeaseError, LeaseId};
use crate::{Op, OpResult, Revision, Txn};

/// The changes of one group, on top of what is durable.
pub(super) struct Group<'a> {
    index: &'a Index,
    leases: &'a mut Leases,
    /// Keys as this group leaves them.
    pending: HashMap<Bytes, Option<KeyValue>>,
    pub(super) changes: Vec<Arc<Change>>,
    /// Leases this group ends.
    pub(super) ended: BTreeSet<LeaseId>,
    head: Revision,
}

impl<'a> Group<'a> {
    pub(super) fn new(index: &'a Index, leases: &'a mut Leases) -> Self {
        Self {
            head: index.head(),
            index,
            leases,
            pending: HashMap::new(),
            changes: Vec::new(),
            ended: BTreeSet::new(),
        }
    }

    fn get(&self, key: &[u8]) -> Option<KeyValue> {
        match self.pending.get(key) {
            Some(found) => found.clone(),
            None => self.index.get(key),
        }
    }

    /// Does a transaction.
    pub(super) fn commit(&mut self, txn: &Txn) -> Result<Committed, CommitError> {
        let holds = |compare: &crate::Compare| compare.holds(self.get(&compare.key).as_ref());
        let succeeded = txn.compare.iter().all(holds);
        let branch = if succeeded { &txn.then } else { &txn.otherwise };
        self.check_leases(branch)?;
        let mut events = Vec::new();
        let results = branch
            .iter()
            .map(|op| self.apply(op, &mut events))
            .collect();
        self.push(events);
        Ok(Committed {
            succeeded,
            revision: self.head,
            results,
        })
    }

    /// Before anything is done, because all of it is done or nothing.
    fn check_leases(&self, branch: &[Op]) -> Result<(), CommitError> {
        for op in branch {
            if let Op::Put {
                lease: Some(id), ..
            } = op
                && !self.leases.lives(*id)
            {
                return Err(CommitError::LeaseNotFound(*id));
            }
        }
        Ok(())
    }

    fn apply(&mut self, op: &Op, events: &mut Vec<Event>) -> OpResult {
        match op {
            Op::Get { key } => OpResult::Get(self.get(key)),
            Op::Put { key, value, lease } => {
                events.push(Event::Put(self.put(key, value, *lease)));
                OpResult::Put
            }
            Op::Delete { key } => {
                let existed = self.get(key).is_some();
                if existed {
                    events.push(Event::Delete {
                        key: self.delete(key),
                    });
                }
                OpResult::Delete { existed }
            }
        }
    }

    fn put(&mut self, key: &Bytes, value: &Bytes, lease: Option<LeaseId>) -> KeyValue {
        let before = self.get(key);
        let modified = self.head.next();
        let item = KeyValue {
            // Copied: a slice of a network buffer would keep all of the buffer in memory.
            key: before
                .as_ref()
                .map_or_else(|| copy(key), |kv| kv.key.clone()),
            value: copy(value),
            created: before.as_ref().map_or(modified, |kv| kv.created),
            version: before.map_or(0, |kv| kv.version) + 1,
            modified,
            lease,
        };
        self.pending.insert(item.key.clone(), Some(item.clone()));
        item
    }

    fn delete(&mut self, key: &Bytes) -> Bytes {
        let key = copy(key);
        self.pending.insert(key.clone(), None);
        key
    }

    fn push(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        self.head = self.head.next();
        self.changes.push(Arc::new(Change {
            revision: self.head,
            events,
        }));
    }

    /// Ends a lease at its owner's wish.
    pub(super) fn revoke(&mut self, id: LeaseId) -> Result<Revision, LeaseError> {
        if !self.leases.lives(id) {
            return Err(LeaseError::NotFound(id));
        }
        self.leases.end(id);
        Ok(self.end(id))
    }

    /// Ends a lease, already marked so: its keys go, all in one revision.
    pub(super) fn end(&mut self, id: LeaseId) -> Revision {
        let attached = |kv: &KeyValue| kv.lease == Some(id);
        let mut keys: BTreeSet<Bytes> = self.leases.keys(id).cloned().collect();
        let pending = self.pending.values().flatten();
        keys.extend(pending.filter(|kv| attached(kv)).map(|kv| kv.key.clone()));
        keys.retain(|key| self.get(key).as_ref().is_some_and(attached));
        let events = keys
            .into_iter()
            .map(|key| Event::Delete {
                key: self.delete(&key),
            })
            .collect();
        self.push(events);
        self.ended.insert(id);
        self.head
    }
}

fn copy(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
