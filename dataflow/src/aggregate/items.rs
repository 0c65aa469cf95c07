//! Aggregates that keep values themselves: `count(distinct ...)` and `array_agg`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_buffer::OffsetBuffer;

use super::Accumulator;
use crate::columns::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, StringArray,
    TimestampArray, Type, typed,
};

/// A value out of its column. Doubles are their bits, so that they have an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Null,
    Number(i64),
    Text(Box<str>),
}

/// The value at `row`.
pub(super) fn item(array: &ArrayRef, kind: &Type, row: usize) -> Item {
    if array.is_null(row) {
        return Item::Null;
    }
    match kind {
        Type::Bool => Item::Number(i64::from(typed::<BooleanArray>(array).value(row))),
        Type::Float => Item::Number(typed::<Float64Array>(array).value(row).to_bits() as i64),
        Type::Timestamp => Item::Number(typed::<TimestampArray>(array).value(row)),
        Type::Text | Type::Json => Item::Text(typed::<StringArray>(array).value(row).into()),
        _ => Item::Number(typed::<Int64Array>(array).value(row)),
    }
}

/// Values as a column of their type.
pub(super) fn column<'a>(items: impl Iterator<Item = &'a Item>, kind: &Type) -> ArrayRef {
    let number = |item: &Item| match item {
        Item::Number(number) => Some(*number),
        _ => None,
    };
    match kind {
        Type::Bool => Arc::new(
            items
                .map(|i| number(i).map(|n| n != 0))
                .collect::<BooleanArray>(),
        ),
        Type::Float => Arc::new(
            items
                .map(|i| number(i).map(|n| f64::from_bits(n as u64)))
                .collect::<Float64Array>(),
        ),
        Type::Timestamp => Arc::new(items.map(number).collect::<TimestampArray>()),
        Type::Text | Type::Json => {
            let text = |item: &'a Item| match item {
                Item::Text(text) => Some(&**text),
                _ => None,
            };
            Arc::new(items.map(text).collect::<StringArray>())
        }
        _ => Arc::new(items.map(number).collect::<Int64Array>()),
    }
}

fn lists<'a, I>(groups: impl Iterator<Item = I> + Clone, kind: &Type) -> ArrayRef
where
    I: ExactSizeIterator<Item = &'a Item>,
{
    let lengths = OffsetBuffer::from_lengths(groups.clone().map(|items| items.len()));
    let field = Arc::new(kind.field("item"));
    Arc::new(ListArray::new(
        field,
        lengths,
        column(groups.flatten(), kind),
        None,
    ))
}

/// Each list's items with the group that they belong to.
fn each(groups: &[u32], state: &ArrayRef, kind: &Type, mut take: impl FnMut(usize, Item)) {
    let lists: &ListArray = typed(state);
    for (row, group) in groups.iter().enumerate() {
        let values = lists.value(row);
        (0..values.len()).for_each(|index| take(*group as usize, item(&values, kind, index)));
    }
}

/// How many different values.
pub(super) struct Distinct {
    kind: Type,
    seen: Vec<BTreeSet<Item>>,
}

impl Distinct {
    pub(super) fn new(kind: Type) -> Distinct {
        Distinct {
            kind,
            seen: Vec::new(),
        }
    }
}

impl Accumulator for Distinct {
    fn resize(&mut self, groups: usize) {
        self.seen.resize_with(groups, BTreeSet::new);
    }

    fn update(&mut self, groups: &[u32], values: Option<&ArrayRef>) {
        let Some(values) = values else { return };
        for (row, group) in groups
            .iter()
            .enumerate()
            .filter(|(row, _)| values.is_valid(*row))
        {
            let seen = &mut self.seen[*group as usize];
            let item = match item(values, &self.kind, row) {
                // The bits of minus zero, which equals zero.
                Item::Number(i64::MIN) if self.kind == Type::Float => Item::Number(0),
                other => other,
            };
            if !seen.contains(&item) {
                seen.insert(item);
            }
        }
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) {
        each(groups, &state[0], &self.kind, |group, item| {
            _ = self.seen[group].insert(item)
        });
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        vec![lists(
            groups.iter().map(|group| self.seen[*group as usize].iter()),
            &self.kind,
        )]
    }

    fn finish(&self, groups: &[u32]) -> ArrayRef {
        let counts = groups
            .iter()
            .map(|group| self.seen[*group as usize].len() as i64);
        Arc::new(Int64Array::from_iter_values(counts))
    }

    fn clear(&mut self, group: u32) {
        self.seen[group as usize].clear();
    }

    fn bytes(&self) -> usize {
        self.seen.iter().map(|seen| 24 + seen.len() * 40).sum()
    }
}

/// All values, nulls too.
pub(super) struct All {
    kind: Type,
    values: Vec<Vec<Item>>,
}

impl All {
    pub(super) fn new(kind: Type) -> All {
        All {
            kind,
            values: Vec::new(),
        }
    }
}

impl Accumulator for All {
    fn resize(&mut self, groups: usize) {
        self.values.resize_with(groups, Vec::new);
    }

    fn update(&mut self, groups: &[u32], values: Option<&ArrayRef>) {
        let Some(values) = values else { return };
        for (row, group) in groups.iter().enumerate() {
            self.values[*group as usize].push(item(values, &self.kind, row));
        }
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) {
        each(groups, &state[0], &self.kind, |group, item| {
            self.values[group].push(item)
        });
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        vec![self.finish(groups)]
    }

    fn finish(&self, groups: &[u32]) -> ArrayRef {
        lists(
            groups
                .iter()
                .map(|group| self.values[*group as usize].iter()),
            &self.kind,
        )
    }

    fn clear(&mut self, group: u32) {
        self.values[group as usize].clear();
    }

    fn bytes(&self) -> usize {
        self.values
            .iter()
            .map(|values| 24 + values.len() * 24)
            .sum()
    }
}
