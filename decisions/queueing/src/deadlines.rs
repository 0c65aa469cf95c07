//! By class, and within a class by deadline (EDF).

use std::collections::BTreeSet;

use crate::ladder::{Aging, Ladder};
use crate::{Discipline, Work};

/// The first class goes first, within a class the earliest deadline; whoever waits rises.
#[derive(Clone, Debug)]
pub struct Deadlines {
    ladder: Ladder,
    /// By the moment after which they are late, whatever happens.
    starts: BTreeSet<(u64, u64)>,
}

impl Deadlines {
    /// An empty one.
    #[must_use]
    pub fn new(aging: Aging) -> Self {
        Self {
            ladder: Ladder::new(aging),
            starts: BTreeSet::new(),
        }
    }

    /// Who goes next, without taking it out, and its class by now.
    pub fn first(&mut self, now_ms: u64) -> Option<(u8, &Work)> {
        self.ladder.first(now_ms)
    }

    /// Takes out one that can no longer be done before its deadline, even if it started now.
    pub fn pop_late(&mut self, now_ms: u64) -> Option<Work> {
        let &(start, id) = self.starts.first()?;
        if start > now_ms {
            return None;
        }
        self.remove(id)
    }

    /// From when on [`pop_late`](Self::pop_late) has something to take out.
    #[must_use]
    pub fn next_late_ms(&self) -> Option<u64> {
        self.starts.first().map(|(start, _)| *start)
    }

    fn late_from(work: &Work) -> Option<u64> {
        match work.latest_start_ms() {
            Some(u64::MAX) => None,
            Some(latest) => Some(latest + 1),
            None => Some(0),
        }
    }
}

impl Discipline for Deadlines {
    fn push(&mut self, work: Work) {
        self.remove(work.id);
        if let Some(from) = Self::late_from(&work) {
            self.starts.insert((from, work.id));
        }
        self.ladder.push(work, work.deadline_ms);
    }

    fn pop(&mut self, now_ms: u64) -> Option<Work> {
        let id = self.ladder.first(now_ms)?.1.id;
        self.remove(id)
    }

    fn remove(&mut self, id: u64) -> Option<Work> {
        let work = self.ladder.remove(id)?;
        if let Some(from) = Self::late_from(&work) {
            self.starts.remove(&(from, id));
        }
        Some(work)
    }

    fn len(&self) -> usize {
        self.ladder.len()
    }
}
