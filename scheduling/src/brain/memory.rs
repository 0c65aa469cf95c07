//! The state on disk: what to write for a change, and the state that comes of what was written.
//!
//! | key | value, in JSON |
//! |---|---|
//! | `spec/NAME` | a wish |
//! | `instance/ID` | a fact |
//! | `slot/SLOT` | what is remembered of a slot |
//! | `node/NAME` | a machine |
//! | `events/NUMBER` | the events of one commit; the number of the first, 20 digits |
//! | `leader` | whose decisions of a placer count |
//! | `default/NAME` | a default of the fleet, as it was when it was taken over |
//! | `revision` | of the state |
//!
//! One change of the state is one transaction, unless it is larger than one may be. Then it is
//! several, in an order in which each prefix is a state that the planner can go on from: a slot's
//! generation before the instance that has it, the revision last. Nobody is told, and nothing is
//! started, before the last one is durable.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use model::{InstanceId, NodeId, Revision, ServiceSpec, Slot};
use reconciliation::{Change, Event, Snapshot, Write};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::limits::{TXN_BYTES_MAX, TXN_OPS_MAX};
use store::{CommitError, Op, Range, ReadError, Store, Txn};

/// Events that are kept, about.
pub(crate) const EVENTS_KEPT: usize = 10_000;
/// How many keys are read at a time.
const PAGE: usize = 1_000;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MemoryError {
    #[error("failed to read the state")]
    Read(#[from] ReadError),
    #[error("failed to write the state")]
    Write(#[from] CommitError),
    #[error("the record {key} cannot be read; was it written by a newer version?")]
    Record {
        key: String,
        #[source]
        source: serde_json::Error,
    },
}

/// The events of one commit, numbered.
pub(crate) type Numbered = Vec<(u64, Event)>;

/// The store, and what must be known to write to it.
pub(crate) struct Memory<S> {
    store: S,
    next_event: u64,
    /// First number and count of each batch of events, oldest first.
    batches: VecDeque<(u64, usize)>,
}

/// What was remembered.
pub(crate) struct Remembered {
    pub(crate) snapshot: Snapshot,
    pub(crate) events: Numbered,
    pub(crate) defaults: BTreeMap<String, ServiceSpec>,
}

impl<S: Store> Memory<S> {
    pub(crate) async fn load(
        store: S,
        snapshot: Snapshot,
    ) -> Result<(Self, Remembered), MemoryError> {
        let mut memory = Self {
            store,
            next_event: 1,
            batches: VecDeque::new(),
        };
        let mut remembered = Remembered {
            snapshot,
            events: Vec::new(),
            defaults: BTreeMap::new(),
        };
        let mut question = Range::prefix(Bytes::new()).limit(PAGE);
        loop {
            let page = memory.store.range(question.clone()).await?;
            for item in &page.items {
                memory.recall(&mut remembered, &item.key, &item.value)?;
            }
            match question.after(&page) {
                Some(next) => question = next,
                None => break,
            }
        }
        Ok((memory, remembered))
    }

    fn recall(
        &mut self,
        remembered: &mut Remembered,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), MemoryError> {
        let key = String::from_utf8_lossy(key);
        let (kind, name) = key.split_once('/').unwrap_or((&key, ""));
        let write = match kind {
            "spec" => Write::PutSpec(Box::new(read(&key, value)?)),
            "instance" => Write::PutInstance(Box::new(read(&key, value)?)),
            "slot" => {
                let (slot, record) = read(&key, value)?;
                Write::PutSlot(slot, record)
            }
            "node" => Write::PutNode(read(&key, value)?),
            "leader" => Write::PutLeader(read(&key, value)?),
            "revision" => Write::PutRevision(read(&key, value)?),
            "events" => {
                let events: Numbered = read(&key, value)?;
                let first = events.first().map_or(0, |(number, _)| *number);
                self.batches.push_back((first, events.len()));
                if let Some((last, _)) = events.last() {
                    self.next_event = last + 1;
                }
                remembered.events.extend(events);
                return Ok(());
            }
            "default" => {
                let spec = read(&key, value)?;
                remembered.defaults.insert(name.to_owned(), spec);
                return Ok(());
            }
            _ => {
                tracing::warn!(%key, "passed over a record that nobody knows");
                return Ok(());
            }
        };
        remembered.snapshot.apply(write);
        Ok(())
    }

    /// Makes changes durable, and numbers their events.
    pub(crate) async fn commit(&mut self, changes: Vec<Change>) -> Result<Numbered, MemoryError> {
        let mut writes = Writes::default();
        let mut events = Vec::new();
        for change in changes {
            if let Some(write) = &change.write {
                writes.add(write)?;
            }
            events.extend(change.event);
        }
        let numbered: Numbered = (self.next_event..).zip(events).collect();
        let mut ops = Vec::new();
        self.add_events(&mut ops, &numbered)?;
        ops.extend(writes.finish()?);
        self.write(ops).await?;
        Ok(numbered)
    }

    /// Remembers which defaults of the fleet were taken over.
    pub(crate) async fn put_defaults(
        &mut self,
        defaults: &[ServiceSpec],
    ) -> Result<(), MemoryError> {
        let ops = defaults
            .iter()
            .map(|spec| put(format!("default/{}", spec.name), spec));
        let ops = ops.collect::<Result<Vec<_>, _>>()?;
        self.write(ops).await
    }

    fn add_events(&mut self, ops: &mut Vec<Op>, numbered: &Numbered) -> Result<(), MemoryError> {
        // One value holds up to a megabyte; a thousand events are less than that.
        for batch in numbered.chunks(PAGE) {
            let first = batch[0].0;
            ops.push(put(events_key(first), &batch)?);
            self.batches.push_back((first, batch.len()));
        }
        self.next_event += numbered.len() as u64;
        let mut kept: usize = self.batches.iter().map(|(_, count)| count).sum();
        while kept > EVENTS_KEPT
            && let Some((first, count)) = self.batches.pop_front()
        {
            ops.push(Op::delete(events_key(first)));
            kept -= count;
        }
        Ok(())
    }

    async fn write(&self, ops: Vec<Op>) -> Result<(), MemoryError> {
        let mut txn = Vec::new();
        let mut bytes = 0;
        for op in ops {
            let size = size(&op);
            if txn.len() == TXN_OPS_MAX || bytes + size > TXN_BYTES_MAX {
                self.store.commit(Txn::of(std::mem::take(&mut txn))).await?;
                bytes = 0;
            }
            bytes += size;
            txn.push(op);
        }
        if !txn.is_empty() {
            self.store.commit(Txn::of(txn)).await?;
        }
        Ok(())
    }
}

/// The last write of each key, in an order of which each prefix makes sense.
#[derive(Default)]
struct Writes {
    ops: Vec<Op>,
    at: BTreeMap<Bytes, usize>,
    revision: Option<Revision>,
}

impl Writes {
    fn add(&mut self, write: &Write) -> Result<(), MemoryError> {
        let op = match write {
            Write::PutSpec(spec) => put(format!("spec/{}", spec.name), spec)?,
            Write::DeleteSpec(name) => Op::delete(format!("spec/{name}")),
            Write::PutInstance(instance) => put(instance_key(&instance.id), instance)?,
            Write::DeleteInstance(id) => Op::delete(instance_key(id)),
            Write::PutSlot(slot, record) => put(slot_key(slot), &(slot, record))?,
            Write::PutNode(node) => put(node_key(&node.id), node)?,
            Write::DeleteNode(id) => Op::delete(node_key(id)),
            Write::PutLeader(leader) => put("leader".to_owned(), leader)?,
            Write::PutRevision(revision) => {
                self.revision = Some(*revision);
                return Ok(());
            }
        };
        match self.at.get(op.key()) {
            Some(&at) => self.ops[at] = op,
            None => {
                self.at.insert(op.key().clone(), self.ops.len());
                self.ops.push(op);
            }
        }
        Ok(())
    }

    /// The revision comes last.
    fn finish(mut self) -> Result<Vec<Op>, MemoryError> {
        if let Some(revision) = self.revision {
            self.ops.push(put("revision".to_owned(), &revision)?);
        }
        Ok(self.ops)
    }
}

fn instance_key(id: &InstanceId) -> String {
    format!("instance/{id}")
}

fn slot_key(slot: &Slot) -> String {
    format!("slot/{slot}")
}

fn node_key(id: &NodeId) -> String {
    format!("node/{id}")
}

fn events_key(first: u64) -> String {
    format!("events/{first:020}")
}

fn put<T: Serialize>(key: String, value: &T) -> Result<Op, MemoryError> {
    match serde_json::to_vec(value) {
        Ok(value) => Ok(Op::put(key, value)),
        Err(source) => Err(MemoryError::Record { key, source }),
    }
}

fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, MemoryError> {
    serde_json::from_slice(value).map_err(|source| MemoryError::Record {
        key: key.to_owned(),
        source,
    })
}

fn size(op: &Op) -> usize {
    match op {
        Op::Put { key, value, .. } => key.len() + value.len(),
        Op::Delete { key } | Op::Get { key } => key.len(),
    }
}

#[cfg(test)]
mod tests {
    use model::{Artifact, NodeStatus, ServiceName, Timestamp};
    use reconciliation::Command;
    use store::{EmbeddedStore, Options};

    use super::*;

    async fn recall(dir: &std::path::Path) -> (Memory<EmbeddedStore>, Remembered) {
        let store = EmbeddedStore::open(dir, Options::default()).unwrap();
        Memory::load(store, Snapshot::default()).await.unwrap()
    }

    fn apply(snapshot: &mut Snapshot, replicas: u32) -> Vec<Change> {
        let artifact = Artifact::Command {
            program: "sleep".into(),
            args: vec!["1".into()],
        };
        let spec = ServiceSpec::new(ServiceName::new("a").unwrap(), artifact, replicas);
        let node = Command::SetNode {
            node: model::NodeId::new("local").unwrap(),
            status: NodeStatus::Ready,
        };
        let commands = [node, Command::ApplySpec(Box::new(spec))];
        let mut changes = Vec::new();
        for command in commands {
            changes.extend(reconciliation::command(snapshot, command, Timestamp(1)).unwrap());
        }
        let plan = reconciliation::plan(snapshot, Timestamp(2));
        changes.extend(reconciliation::execute(snapshot, &plan, Timestamp(2)).unwrap());
        changes
    }

    #[tokio::test]
    async fn a_change_larger_than_a_transaction_comes_back_whole_with_its_events() {
        let dir = tempfile::tempdir().unwrap();
        let (mut memory, remembered) = recall(dir.path()).await;
        let mut snapshot = remembered.snapshot;
        let changes = apply(&mut snapshot, 500);
        let numbered = memory.commit(changes).await.unwrap();
        assert!(numbered.len() > TXN_OPS_MAX);
        assert_eq!(numbered[0].0, 1);
        drop(memory);
        let (mut memory, remembered) = recall(dir.path()).await;
        assert_eq!(remembered.snapshot, snapshot);
        assert_eq!(remembered.events, numbered);
        let scale = Command::Scale {
            service: ServiceName::new("a").unwrap(),
            replicas: 1,
        };
        let changes = reconciliation::command(&mut snapshot, scale, Timestamp(3)).unwrap();
        let more = memory.commit(changes).await.unwrap();
        let next = numbered.last().unwrap().0 + 1;
        assert_eq!(more[0].0, next, "numbers go on after a restart");
    }

    #[tokio::test]
    async fn old_events_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let (mut memory, _) = recall(dir.path()).await;
        let mut snapshot = Snapshot::default();
        for round in 0..25 {
            let replicas = 500 + round;
            let changes = apply(&mut snapshot, replicas);
            let again = changes.iter().filter_map(|c| c.event.clone());
            let many = again.cycle().take(600).map(|event| Change {
                write: None,
                event: Some(event),
            });
            memory.commit(many.collect()).await.unwrap();
        }
        drop(memory);
        let (_, remembered) = recall(dir.path()).await;
        let kept = remembered.events.len();
        assert!((EVENTS_KEPT - 600..=EVENTS_KEPT).contains(&kept), "{kept}");
        assert_eq!(remembered.events.last().unwrap().0, 25 * 600);
    }
}
