//! `count(*)` and `count(column)`.

use std::sync::Arc;

use super::Accumulator;
use crate::columns::{Array, ArrayRef, Int64Array, typed};

#[derive(Default)]
pub(super) struct Count(Vec<i64>);

impl Accumulator for Count {
    fn resize(&mut self, groups: usize) {
        self.0.resize(groups, 0);
    }

    fn update(&mut self, groups: &[u32], values: Option<&ArrayRef>) {
        match values.and_then(|values| values.nulls()) {
            None => groups.iter().for_each(|group| self.0[*group as usize] += 1),
            Some(nulls) => {
                for (row, group) in groups.iter().enumerate() {
                    self.0[*group as usize] += i64::from(nulls.is_valid(row));
                }
            }
        }
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) {
        let counts: &Int64Array = typed(&state[0]);
        for (group, count) in groups.iter().zip(counts.values()) {
            self.0[*group as usize] += count;
        }
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        vec![self.finish(groups)]
    }

    fn finish(&self, groups: &[u32]) -> ArrayRef {
        let counts = groups.iter().map(|group| self.0[*group as usize]);
        Arc::new(Int64Array::from_iter_values(counts))
    }

    fn clear(&mut self, group: u32) {
        self.0[group as usize] = 0;
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * 8
    }
}
