//! The least and the greatest.

use std::sync::Arc;

use super::Accumulator;
use super::items::{self, Item};
use super::sum::each;
use crate::columns::{
    Array, ArrayRef, Float64Type, Int64Type, Primitive, PrimitiveArray, TimestampType, Type, typed,
};

/// An empty one for this type.
pub(super) fn new(greatest: bool, kind: Type) -> Box<dyn Accumulator> {
    match kind {
        Type::Int => Box::new(Numbers::<Int64Type>::new(greatest)),
        Type::Timestamp => Box::new(Numbers::<TimestampType>::new(greatest)),
        Type::Float => Box::new(Numbers::<Float64Type>::new(greatest)),
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

struct Numbers<T: Primitive> {
    greatest: bool,
    values: Vec<Option<T::Native>>,
}

impl<T: Primitive> Numbers<T> {
    fn new(greatest: bool) -> Self {
        Self {
            greatest,
            values: Vec::new(),
        }
    }
}

impl<T: Primitive> Accumulator for Numbers<T> {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    fn update(&mut self, groups: &[u32], values: Option<&ArrayRef>) {
        let Some(values) = values else { return };
        each!(groups, values, PrimitiveArray<T>, |group: usize, value| {
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
        Arc::new(values.collect::<PrimitiveArray<T>>())
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
