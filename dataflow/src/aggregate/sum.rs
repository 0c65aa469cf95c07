//! Sums and means.

use std::sync::Arc;

use super::Accumulator;
use crate::columns::{
    Array, ArrayRef, DataType, Float64Array, Int64Array, Number, Primitive, PrimitiveArray, typed,
};

/// The valid values of a column with their groups.
macro_rules! each {
    ($groups:expr, $values:expr, $kind:ty, $take:expr) => {{
        let values: &$kind = typed($values);
        let mut take = $take;
        match values.nulls() {
            None => $groups
                .iter()
                .zip(values.values())
                .for_each(|(g, v)| take(*g as usize, *v)),
            Some(nulls) => {
                for (row, group) in $groups
                    .iter()
                    .enumerate()
                    .filter(|(row, _)| nulls.is_valid(*row))
                {
                    take(*group as usize, values.value(row));
                }
            }
        }
    }};
}
pub(super) use each;

/// Sum; null when there was nothing. That of integers wraps.
pub(super) struct Sum<T: Primitive> {
    sums: Vec<T::Native>,
    any: Vec<bool>,
}

impl<T: Primitive> Default for Sum<T> {
    fn default() -> Self {
        Self {
            sums: Vec::new(),
            any: Vec::new(),
        }
    }
}

impl<T: Primitive> Accumulator for Sum<T> {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, T::Native::ZERO);
        self.any.resize(groups, false);
    }

    fn update(&mut self, groups: &[u32], values: Option<&ArrayRef>) {
        let Some(values) = values else { return };
        each!(groups, values, PrimitiveArray<T>, |group: usize, value| {
            self.sums[group] = self.sums[group].add_wrapping(value);
            self.any[group] = true;
        });
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) {
        self.update(groups, Some(&state[0]));
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        vec![self.finish(groups)]
    }

    fn finish(&self, groups: &[u32]) -> ArrayRef {
        let sum = |group: &u32| self.any[*group as usize].then(|| self.sums[*group as usize]);
        Arc::new(groups.iter().map(sum).collect::<PrimitiveArray<T>>())
    }

    fn clear(&mut self, group: u32) {
        self.sums[group as usize] = T::Native::ZERO;
        self.any[group as usize] = false;
    }

    fn bytes(&self) -> usize {
        self.sums.capacity() * 9
    }
}

/// Mean; null when there was none.
#[derive(Default)]
pub(super) struct Mean {
    sums: Vec<f64>,
    counts: Vec<i64>,
}

impl Accumulator for Mean {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, 0.0);
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, groups: &[u32], values: Option<&ArrayRef>) {
        let Some(values) = values else { return };
        let mut take = |group: usize, value: f64| {
            self.sums[group] += value;
            self.counts[group] += 1;
        };
        match values.data_type() {
            DataType::Float64 => each!(groups, values, Float64Array, take),
            _ => each!(groups, values, Int64Array, |group, value: i64| take(
                group,
                value as f64
            )),
        }
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) {
        let sums: &Float64Array = typed(&state[0]);
        let counts: &Int64Array = typed(&state[1]);
        for ((group, sum), count) in groups.iter().zip(sums.values()).zip(counts.values()) {
            self.sums[*group as usize] += sum;
            self.counts[*group as usize] += count;
        }
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        let sums = groups.iter().map(|group| self.sums[*group as usize]);
        let counts = groups.iter().map(|group| self.counts[*group as usize]);
        vec![
            Arc::new(Float64Array::from_iter_values(sums)),
            Arc::new(Int64Array::from_iter_values(counts)),
        ]
    }

    fn finish(&self, groups: &[u32]) -> ArrayRef {
        let mean = |group: &u32| {
            let (sum, count) = (self.sums[*group as usize], self.counts[*group as usize]);
            (count > 0).then(|| sum / count as f64)
        };
        Arc::new(groups.iter().map(mean).collect::<Float64Array>())
    }

    fn clear(&mut self, group: u32) {
        self.sums[group as usize] = 0.0;
        self.counts[group as usize] = 0;
    }

    fn bytes(&self) -> usize {
        self.sums.capacity() * 16
    }
}
