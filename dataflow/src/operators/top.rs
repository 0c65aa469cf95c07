//! The first rows of each group within rows of the same window.

use std::sync::Arc;

use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};

use super::rows::Waiting;
use super::stateless::{columns, renamed};
use super::{Operator, Output, State};
use crate::columns::{ArrayRef, Batch, Field, Int64Array, SchemaRef, take};
use crate::failure::Halt;
use crate::hash;
use crate::keys::Keys;
use crate::plan;

pub(crate) struct Top {
    plan: plan::Top,
    waiting: Waiting,
    key_fields: Vec<Field>,
    watermark: Option<i64>,
    output: SchemaRef,
}

impl Top {
    pub(crate) fn new(top: &plan::Top, input: SchemaRef, output: SchemaRef) -> Result<Top, Halt> {
        let fields: Result<Vec<Field>, _> = top
            .keys
            .iter()
            .map(|key| input.field_with_name(key).cloned())
            .collect();
        Ok(Top {
            plan: top.clone(),
            key_fields: fields?,
            waiting: Waiting::new(input, top.keys.clone(), 't'),
            watermark: None,
            output,
        })
    }

    fn fire(&mut self, rows: &Batch, out: &mut dyn Output) -> Result<(), Halt> {
        let order = self.order(rows)?;
        let mut keys = Keys::new(&self.key_fields)?;
        let (mut hashes, mut groups) = (Vec::new(), Vec::new());
        let key_columns = columns(rows, &self.plan.keys)?;
        hash::rows(&key_columns, rows.num_rows(), &mut hashes);
        keys.groups(&key_columns, &hashes, &mut groups)?;
        let mut seen = vec![0u32; keys.len()];
        let (mut kept, mut numbers) = (Vec::new(), Vec::new());
        for row in order {
            let count = &mut seen[groups[row as usize] as usize];
            *count = count.saturating_add(1);
            if *count <= self.plan.limit {
                kept.push(row);
                numbers.push(i64::from(*count));
            }
        }
        let mut more: Vec<ArrayRef> = Vec::new();
        if self.plan.number.is_some() {
            more.push(Arc::new(Int64Array::from(numbers)));
        }
        out.emit(renamed(&take(rows, &kept)?, &self.output, more)?)
    }

    fn order(&self, rows: &Batch) -> Result<Vec<u32>, Halt> {
        if self.plan.order.is_empty() || rows.num_rows() == 0 {
            return Ok((0..rows.num_rows() as u32).collect());
        }
        let mut sort = Vec::new();
        for one in &self.plan.order {
            let values = rows.column(rows.schema().index_of(&one.column)?).clone();
            let options = SortOptions {
                descending: one.descending,
                nulls_first: one.descending,
            };
            sort.push(SortColumn {
                values,
                options: Some(options),
            });
        }
        Ok(lexsort_to_indices(&sort, None)?.values().to_vec())
    }
}

impl Operator for Top {
    fn batch(&mut self, _port: u32, batch: Batch, _out: &mut dyn Output) -> Result<(), Halt> {
        self.waiting.push(batch, self.watermark)
    }

    fn watermark(&mut self, time: i64, out: &mut dyn Output) -> Result<(), Halt> {
        while let Some(first) = self.waiting.due(time) {
            let rows = self.waiting.take(first)?;
            self.fire(&rows, out)?;
        }
        self.watermark = Some(time);
        Ok(())
    }

    fn snapshot(&mut self, epoch: u64, base: u64) -> Result<State, Halt> {
        let mut state = State::default();
        self.waiting.snapshot(&mut state.tables, epoch, base)?;
        Ok(state)
    }

    fn restore(&mut self, mut state: State) -> Result<(), Halt> {
        self.watermark = self.watermark.max(state.watermark);
        self.waiting.restore(&mut state)
    }

    fn late(&self) -> u64 {
        self.waiting.late()
    }

    fn state_bytes(&self) -> usize {
        self.waiting.bytes()
    }
}
