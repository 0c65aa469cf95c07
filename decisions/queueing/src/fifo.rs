//! First come, first served.

use std::collections::BTreeMap;

use crate::{Discipline, Work};

/// Who came first goes first; of those that came at the same time, the lower id.
#[derive(Clone, Debug, Default)]
pub struct Fifo {
    waiting: BTreeMap<(u64, u64), Work>,
    since: BTreeMap<u64, u64>,
}

impl Fifo {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Discipline for Fifo {
    fn push(&mut self, work: Work) {
        self.remove(work.id);
        self.since.insert(work.id, work.submitted_ms);
        self.waiting.insert((work.submitted_ms, work.id), work);
    }

    fn pop(&mut self, _now_ms: u64) -> Option<Work> {
        let (_, work) = self.waiting.pop_first()?;
        self.since.remove(&work.id);
        Some(work)
    }

    fn remove(&mut self, id: u64) -> Option<Work> {
        let since = self.since.remove(&id)?;
        self.waiting.remove(&(since, id))
    }

    fn len(&self) -> usize {
        self.waiting.len()
    }
}
