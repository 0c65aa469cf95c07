//! Operators that remember nothing.

use std::sync::Arc;

use super::{Operator, Output};
use crate::columns::{
    ArrayRef, Batch, BooleanArray, ListArray, SchemaRef, TIME, UInt32Array, typed,
};
use crate::expression::Expression;
use crate::failure::Halt;
use crate::plan::Named;

/// Keeps the rows for which this is true.
pub(crate) struct Filter(pub(crate) Expression);

impl Operator for Filter {
    fn batch(&mut self, _port: u32, batch: Batch, out: &mut dyn Output) -> Result<(), Halt> {
        let keep = self.0.evaluate(&batch)?;
        let keep: &BooleanArray = typed(&keep);
        let kept = arrow_select::filter::filter_record_batch(&batch, keep)?;
        if kept.num_rows() > 0 {
            out.emit(kept)?;
        }
        Ok(())
    }
}

/// Computes columns.
pub(crate) struct Project {
    pub(crate) columns: Vec<Named>,
    pub(crate) output: SchemaRef,
}

impl Operator for Project {
    fn batch(&mut self, _port: u32, batch: Batch, out: &mut dyn Output) -> Result<(), Halt> {
        let mut arrays = Vec::with_capacity(self.columns.len() + 1);
        for column in &self.columns {
            arrays.push(column.value.evaluate(&batch)?);
        }
        arrays.push(batch.column(batch.num_columns() - 1).clone());
        out.emit(Batch::try_new(self.output.clone(), arrays)?)
    }
}

/// One row for each item of a list.
pub(crate) struct Unnest {
    pub(crate) column: String,
    pub(crate) output: SchemaRef,
}

impl Operator for Unnest {
    fn batch(&mut self, _port: u32, batch: Batch, out: &mut dyn Output) -> Result<(), Halt> {
        let index = batch.schema().index_of(&self.column)?;
        let lists: &ListArray = typed(batch.column(index));
        let mut rows = Vec::new();
        let mut items = Vec::new();
        for (row, ends) in lists.value_offsets().windows(2).enumerate() {
            for item in ends[0]..ends[1] {
                rows.push(row as u32);
                items.push(item as u32);
            }
        }
        let (rows, items) = (UInt32Array::from(rows), UInt32Array::from(items));
        let arrays: Result<Vec<ArrayRef>, _> = (0..batch.num_columns())
            .map(|at| match at == index {
                true => arrow_select::take::take(lists.values(), &items, None),
                false => arrow_select::take::take(batch.column(at), &rows, None),
            })
            .collect();
        out.emit(Batch::try_new(self.output.clone(), arrays?)?)
    }
}

/// The rows of all inputs.
pub(crate) struct Union;

impl Operator for Union {
    fn batch(&mut self, _port: u32, batch: Batch, out: &mut dyn Output) -> Result<(), Halt> {
        out.emit(batch)
    }
}

/// The columns of these names.
pub(crate) fn columns(batch: &Batch, names: &[String]) -> Result<Vec<ArrayRef>, Halt> {
    let schema = batch.schema();
    let of = |name: &String| Ok(batch.column(schema.index_of(name)?).clone());
    names.iter().map(of).collect()
}

/// `batch` as rows of `output`, which has other names, with `more` columns before event time.
pub(crate) fn renamed(
    batch: &Batch,
    output: &SchemaRef,
    more: Vec<ArrayRef>,
) -> Result<Batch, Halt> {
    let (time, rest) = batch
        .columns()
        .split_last()
        .expect("a batch has its event time");
    debug_assert!(batch.schema().field(batch.num_columns() - 1).name() == TIME);
    let arrays = rest
        .iter()
        .cloned()
        .chain(more)
        .chain([Arc::clone(time)])
        .collect();
    Ok(Batch::try_new(output.clone(), arrays)?)
}
