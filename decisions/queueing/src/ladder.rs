//! Classes that work climbs while it waits.

use std::collections::{BTreeMap, BTreeSet};

use crate::Work;

/// How waiting raises work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aging {
    /// It rises a class whenever it has waited for so long. 0: it never does.
    pub each_ms: u64,
    /// The best class that can be reached by waiting. Above 0, the classes before it are for those
    /// that were born there, and whoever fills them starves the rest.
    pub best: u8,
}

impl Default for Aging {
    /// Five minutes a class, up to the first.
    fn default() -> Self {
        Self {
            each_ms: 300_000,
            best: 0,
        }
    }
}

/// Where one waits: its class by now, and its key there.
type Place = (u8, u64);

/// Work by class and, within one, by a key. Each piece rises at most as many times as it has
/// classes before it, so a long queue costs no more a turn than a short one.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    aging: Aging,
    waiting: BTreeMap<(u8, u64, u64), Work>,
    places: BTreeMap<u64, Place>,
    rises: BTreeSet<(u64, u64)>,
}

impl Ladder {
    pub(crate) fn new(aging: Aging) -> Self {
        Self {
            aging,
            waiting: BTreeMap::new(),
            places: BTreeMap::new(),
            rises: BTreeSet::new(),
        }
    }

    pub(crate) fn push(&mut self, work: Work, key: u64) {
        self.remove(work.id);
        self.place(work, work.class, key);
    }

    fn place(&mut self, work: Work, class: u8, key: u64) {
        if let Some(at) = self.rises_at(&work, class) {
            self.rises.insert((at, work.id));
        }
        self.places.insert(work.id, (class, key));
        self.waiting.insert((class, key, work.id), work);
    }

    /// When it leaves this class for the one before it.
    fn rises_at(&self, work: &Work, class: u8) -> Option<u64> {
        if self.aging.each_ms == 0 || class <= self.aging.best {
            return None;
        }
        let steps = u64::from(work.class.saturating_sub(class)) + 1;
        let waits = self.aging.each_ms.saturating_mul(steps);
        Some(work.submitted_ms.saturating_add(waits))
    }

    fn raise(&mut self, now_ms: u64) {
        while let Some(&(at, id)) = self.rises.first() {
            if at > now_ms {
                return;
            }
            let place = self.places.get(&id).copied();
            if let (Some((class, key)), Some(work)) = (place, self.remove(id)) {
                self.place(work, class - 1, key);
            }
        }
    }

    /// The class by now, and who goes next.
    pub(crate) fn first(&mut self, now_ms: u64) -> Option<(u8, &Work)> {
        self.raise(now_ms);
        let ((class, ..), work) = self.waiting.first_key_value()?;
        Some((*class, work))
    }

    pub(crate) fn pop(&mut self, now_ms: u64) -> Option<Work> {
        let id = self.first(now_ms)?.1.id;
        self.remove(id)
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Work> {
        let (class, key) = self.places.remove(&id)?;
        let work = self.waiting.remove(&(class, key, id))?;
        if let Some(at) = self.rises_at(&work, class) {
            self.rises.remove(&(at, id));
        }
        Some(work)
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }
}
