//! Keys that are one column of integers: open addressing with linear probing, at most half full.

use std::sync::Arc;

use crate::columns::{Array, ArrayRef, Int64Array, typed};
use crate::hash;

#[derive(Clone, Copy)]
struct Slot {
    key: i64,
    /// One more than the group; nothing lies here when 0.
    group: u32,
}

const EMPTY: Slot = Slot { key: 0, group: 0 };

/// See [`super::Keys`].
#[derive(Default)]
pub(crate) struct Integers {
    slots: Vec<Slot>,
    keys: Vec<i64>,
    null: Option<u32>,
}

impl Integers {
    pub(super) fn groups(&mut self, column: &ArrayRef, hashes: &[u64], groups: &mut Vec<u32>) {
        let column: &Int64Array = typed(column);
        groups.reserve(hashes.len());
        self.make_room();
        if column.null_count() == 0 {
            for (key, hash) in column.values().iter().zip(hashes) {
                groups.push(self.group(*key, *hash));
            }
            return;
        }
        for (row, (key, hash)) in column.iter().zip(hashes).enumerate() {
            let group = match key {
                Some(_) => self.group(column.value(row), *hash),
                None => self.null_group(),
            };
            groups.push(group);
        }
    }

    #[inline(always)]
    fn group(&mut self, key: i64, hash: u64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.group == 0 {
                return self.insert(key, at);
            }
            if slot.key == key {
                return slot.group - 1;
            }
            at = (at + 1) & mask;
        }
    }

    #[inline(never)]
    fn insert(&mut self, key: i64, at: usize) -> u32 {
        self.keys.push(key);
        let group = self.keys.len() as u32;
        self.slots[at] = Slot { key, group };
        self.make_room();
        group - 1
    }

    fn null_group(&mut self) -> u32 {
        let keys = &mut self.keys;
        *self.null.get_or_insert_with(|| {
            keys.push(0);
            keys.len() as u32 - 1
        })
    }

    /// Grows when the table is half full, so that a search always ends.
    fn make_room(&mut self) {
        if self.keys.len() * 2 < self.slots.len() {
            return;
        }
        let size = (self.slots.len() * 4).max(64);
        let mask = size - 1;
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; size]);
        for slot in old.into_iter().filter(|slot| slot.group != 0) {
            let mut at = hash::number(slot.key as u64) as usize & mask;
            while self.slots[at].group != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn column(&self, groups: &[u32]) -> ArrayRef {
        let key = |group: &u32| (self.null != Some(*group)).then(|| self.keys[*group as usize]);
        match self.null {
            None => {
                let keys = groups.iter().map(|group| self.keys[*group as usize]);
                Arc::new(Int64Array::from_iter_values(keys))
            }
            Some(_) => Arc::new(groups.iter().map(key).collect::<Int64Array>()),
        }
    }

    pub(super) fn hashes(&self, groups: &[u32]) -> Vec<u64> {
        let mut hashes = Vec::new();
        hash::rows(&[self.column(groups)], groups.len(), &mut hashes);
        hashes
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.keys.capacity() * 8
    }
}
