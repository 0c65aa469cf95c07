//! From a task to the tasks behind it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::columns::{Batch, bytes, take};
use crate::events::Counters;
use crate::exchange::Sender;
use crate::failure::Halt;
use crate::hash;
use crate::inbox::{Inbox, Message};
use crate::operators::{Output, columns};
use crate::plan::Routing;

/// One subtask that takes rows.
pub(crate) enum Target {
    /// In this worker.
    Local(Arc<Inbox>, usize),
    /// In another.
    Remote(Sender),
}

impl Target {
    fn send(&self, message: Message, counters: &Counters) -> Result<(), Halt> {
        let waited = match self {
            Target::Local(inbox, channel) => inbox.send(*channel, message)?,
            Target::Remote(sender) => sender.send(message)?,
        };
        counters
            .blocked_nanos
            .fetch_add(waited.as_nanos() as u64, Relaxed);
        Ok(())
    }
}

/// One edge of the graph, as this task sees it.
pub(crate) struct Route {
    pub(crate) routing: Routing,
    /// All subtasks that this task may send to; by forward and single routes there is one.
    pub(crate) targets: Vec<Target>,
    /// Whose turn it is, when rows are spread.
    pub(crate) next: usize,
}

/// All edges of a task.
pub(crate) struct Outputs {
    pub(crate) routes: Vec<Route>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) scratch: Scratch,
}

/// What is kept so that nothing is allocated for a batch.
#[derive(Default)]
pub(crate) struct Scratch {
    hashes: Vec<u64>,
    parts: Vec<Vec<u32>>,
}

impl Output for Outputs {
    fn emit(&mut self, batch: Batch) -> Result<(), Halt> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.counters
            .rows_out
            .fetch_add(batch.num_rows() as u64, Relaxed);
        if self.routes.is_empty() {
            return Ok(());
        }
        self.counters
            .bytes_out
            .fetch_add(bytes(&batch) as u64, Relaxed);
        for route in &mut self.routes {
            route.send(&batch, &mut self.scratch, &self.counters)?;
        }
        Ok(())
    }
}

impl Outputs {
    /// A signal to all.
    pub(crate) fn all(&mut self, message: &Message) -> Result<(), Halt> {
        let mut targets = self.routes.iter().flat_map(|route| &route.targets);
        targets.try_for_each(|target| target.send(message.clone(), &self.counters))
    }

    /// No row before `time` comes from this task any more.
    pub(crate) fn watermark(&mut self, time: i64) -> Result<(), Halt> {
        self.all(&Message::Watermark(time))
    }
}

impl Route {
    fn send(
        &mut self,
        batch: &Batch,
        scratch: &mut Scratch,
        counters: &Counters,
    ) -> Result<(), Halt> {
        let count = self.targets.len();
        let keys = match &self.routing {
            Routing::Hash(keys) if count > 1 => keys,
            _ => {
                self.next = (self.next + 1) % count;
                return self.targets[self.next].send(Message::Batch(batch.clone()), counters);
            }
        };
        hash::rows(
            &columns(batch, keys)?,
            batch.num_rows(),
            &mut scratch.hashes,
        );
        scratch.parts.resize_with(count, Vec::new);
        scratch.parts.iter_mut().for_each(Vec::clear);
        for (row, hash) in scratch.hashes.iter().enumerate() {
            scratch.parts[hash::owner(*hash, count as u32) as usize].push(row as u32);
        }
        for (target, rows) in self.targets.iter().zip(&scratch.parts) {
            if !rows.is_empty() {
                let part = if rows.len() == batch.num_rows() {
                    batch.clone()
                } else {
                    take(batch, rows)?
                };
                target.send(Message::Batch(part), counters)?;
            }
        }
        Ok(())
    }
}
