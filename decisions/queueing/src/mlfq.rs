//! Multi-level feedback: whoever has used little goes first, for nobody says how long it takes.

use std::collections::BTreeMap;

use crate::{Discipline, Work};

/// The levels of an [`Mlfq`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// How many there are; at least 1.
    pub count: u8,
    /// Who has used so much falls from the first level to the second; each level below holds for
    /// twice as long as the one above it. At least 1.
    pub slice_ms: u64,
    /// So often everybody is at the top again, so that nobody starves. At least 1.
    pub boost_ms: u64,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            count: 4,
            slice_ms: 1_000,
            boost_ms: 60_000,
        }
    }
}

/// Each level is first come, first served. What work has used is told with `ended`; work that was
/// stopped comes back by `push`, on the level that it has fallen to.
#[derive(Clone, Debug)]
pub struct Mlfq {
    levels: Levels,
    waiting: BTreeMap<(u8, u64, u64), Work>,
    places: BTreeMap<u64, (u8, u64)>,
    used_ms: BTreeMap<u64, u64>,
    boosted_ms: u64,
    arrivals: u64,
}

impl Mlfq {
    /// An empty one.
    #[must_use]
    pub fn new(levels: Levels) -> Self {
        Self {
            levels: Levels {
                count: levels.count.max(1),
                slice_ms: levels.slice_ms.max(1),
                boost_ms: levels.boost_ms.max(1),
            },
            waiting: BTreeMap::new(),
            places: BTreeMap::new(),
            used_ms: BTreeMap::new(),
            boosted_ms: 0,
            arrivals: 0,
        }
    }

    /// How much one may use before it falls, all levels above counted.
    fn level(&self, used_ms: u64) -> u8 {
        let slices = used_ms / self.levels.slice_ms;
        // Level n begins at 1 + 2 + ... + 2^(n-1) = 2^n - 1 slices.
        let level = slices.saturating_add(1).ilog2();
        u8::try_from(level)
            .unwrap_or(u8::MAX)
            .min(self.levels.count - 1)
    }

    fn boost(&mut self, now_ms: u64) {
        if now_ms < self.boosted_ms.saturating_add(self.levels.boost_ms) {
            return;
        }
        self.boosted_ms = now_ms;
        self.used_ms.clear();
        let waiting = std::mem::take(&mut self.waiting);
        for ((_, arrival, id), work) in waiting {
            self.places.insert(id, (0, arrival));
            self.waiting.insert((0, arrival, id), work);
        }
    }

    fn put(&mut self, work: Work, arrival: u64) {
        self.remove(work.id);
        let level = self.level(self.used_ms.get(&work.id).copied().unwrap_or(0));
        self.places.insert(work.id, (level, arrival));
        self.waiting.insert((level, arrival, work.id), work);
    }
}

impl Discipline for Mlfq {
    fn push(&mut self, work: Work) {
        self.arrivals += 1;
        self.put(work, self.arrivals);
    }

    fn pop(&mut self, now_ms: u64) -> Option<Work> {
        self.boost(now_ms);
        let (_, work) = self.waiting.pop_first()?;
        self.places.remove(&work.id);
        Some(work)
    }

    /// It goes to the front of its level: it did not have its turn.
    fn give_back(&mut self, work: Work) {
        self.put(work, 0);
    }

    fn ended(&mut self, work: &Work, used_ms: u64) {
        let used = self.used_ms.entry(work.id).or_insert(0);
        *used = used.saturating_add(used_ms);
    }

    fn remove(&mut self, id: u64) -> Option<Work> {
        let (level, arrival) = self.places.remove(&id)?;
        self.waiting.remove(&(level, arrival, id))
    }

    fn len(&self) -> usize {
        self.places.len()
    }
}
