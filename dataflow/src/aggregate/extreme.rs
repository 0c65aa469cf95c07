//! The least and the greatest.

use std::sync::Arc;

use super::Accumulator;
use super::items::{self, Item};
use super::sum::each;
use crate::columns::{Array, ArrayRef, Float64Array, Int64Array, TimestampArray, Type, typed};

/// An empty one for this type.
pub(super) fn new(greatest: bool, kind: Type) -> Box<dyn Accumulator> {
    match kind {
        Type::Int | Type::Timestamp => Box::new(Integers {
            greatest,
            time: kind == Type::Timestamp,
            values: Vec::new(),
        }),
        Type::Float => Box::new(Floats {
            greatest,
            values: Vec::new(),
        }),
        _ => Box::new(Texts {
            greatest,
            kind,
            values: Vec::new(),
        }),
    }
}

fn better<T: PartialOrd>(old: &Option<T>, new: &T, greatest: bool) -> bool {
    old.as_ref()
        .is_none_or(|old| if greatest { new > old } else { new < old })
}

struct Integers {
    greatest: bool,
    time: bool,
    values: Vec<Option<i64>>,
}

impl Integers {
    fn take(&mut self, group: usize, value: i64) {
        if better(&self.values[group], &value, self.greatest) {
            self.values[group] = Some(value);
        }
    }
}

impl Accumulator for Integers {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    fn update(&mut self, groups: &[u32], values: Option<&ArrayRef>) {
        let Some(values) = values else { return };
        match self.time {
            true => each!(groups, values, TimestampArray, |group, value| self
                .take(group, value)),
            false => each!(groups, values, Int64Array, |group, value| self
                .take(group, value)),
        }
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) {
        self.update(groups, Some(&state[0]));
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        vec![self.finish(groups)]
    }

    fn finish(&self, groups: &[u32]) -> ArrayRef {
        let values = groups.iter().map(|group| self.values[*group as usize]);
        match self.time {
            true => Arc::new(values.collect::<TimestampArray>()),
            false => Arc::new(values.collect::<Int64Array>()),
        }
    }

    fn clear(&mut self, group: u32) {
        self.values[group as usize] = None;
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * 16
    }
}

struct Floats {
    greatest: bool,
    values: Vec<Option<f64>>,
}

impl Accumulator for Floats {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    fn update(&mut self, groups: &[u32], values: Option<&ArrayRef>) {
        let Some(values) = values else { return };
        each!(groups, values, Float64Array, |group: usize, value: f64| {
            if better(&self.values[group], &value, self.greatest) {
                self.values[group] = Some(value);
            }
        });
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) {
        self.update(groups, Some(&state[0]));
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        vec![self.finish(groups)]
    }

    fn finish(&self, groups: &[u32]) -> ArrayRef {
        let values = groups.iter().map(|group| self.values[*group as usize]);
        Arc::new(values.collect::<Float64Array>())
    }

    fn clear(&mut self, group: u32) {
        self.values[group as usize] = None;
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * 16
    }
}

struct Texts {
    greatest: bool,
    kind: Type,
    values: Vec<Item>,
}

impl Accumulator for Texts {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, Item::Null);
    }

    fn update(&mut self, groups: &[u32], values: Option<&ArrayRef>) {
        let Some(values) = values else { return };
        for (row, group) in groups
            .iter()
            .enumerate()
            .filter(|(row, _)| values.is_valid(*row))
        {
            let (old, new) = (
                &mut self.values[*group as usize],
                items::item(values, &self.kind, row),
            );
            if *old == Item::Null
                || (if self.greatest {
                    new > *old
                } else {
                    new < *old
                })
            {
                *old = new;
            }
        }
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) {
        self.update(groups, Some(&state[0]));
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        vec![self.finish(groups)]
    }

    fn finish(&self, groups: &[u32]) -> ArrayRef {
        items::column(
            groups.iter().map(|group| &self.values[*group as usize]),
            &self.kind,
        )
    }

    fn clear(&mut self, group: u32) {
        self.values[group as usize] = Item::Null;
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * 32
    }
}
