//! By class, and nobody waits for ever.

use crate::ladder::{Aging, Ladder};
use crate::{Discipline, Work};

/// The first class goes first, within a class who came first; whoever waits rises.
#[derive(Clone, Debug)]
pub struct Priority {
    ladder: Ladder,
}

impl Priority {
    /// An empty one.
    #[must_use]
    pub fn new(aging: Aging) -> Self {
        Self {
            ladder: Ladder::new(aging),
        }
    }
}

impl Discipline for Priority {
    fn push(&mut self, work: Work) {
        self.ladder.push(work, work.submitted_ms);
    }

    fn pop(&mut self, now_ms: u64) -> Option<Work> {
        self.ladder.pop(now_ms)
    }

    fn remove(&mut self, id: u64) -> Option<Work> {
        self.ladder.remove(id)
    }

    fn len(&self) -> usize {
        self.ladder.len()
    }
}
