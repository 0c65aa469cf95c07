//! Rows that wait for the end of their window: the state of joins and top-n.

use std::collections::BTreeMap;

use arrow_array::RecordBatchOptions;

use super::stateless::columns;
use super::{State, Stored, Table};
use crate::columns::{ArrayRef, Batch, SchemaRef, bytes, concat, take, times};
use crate::failure::{Domain, Failure, Halt, Hint};
use crate::hash;

/// Rows by event time, which is the last microsecond of their window.
pub(crate) struct Waiting {
    schema: SchemaRef,
    keys: Vec<String>,
    /// The name of its tables begins so.
    prefix: char,
    rows: BTreeMap<i64, Bucket>,
    late: u64,
}

#[derive(Default)]
struct Bucket {
    batches: Vec<Batch>,
    stored: Stored,
}

impl Waiting {
    pub(crate) fn new(schema: SchemaRef, keys: Vec<String>, prefix: char) -> Waiting {
        Waiting {
            schema,
            keys,
            prefix,
            rows: BTreeMap::new(),
            late: 0,
        }
    }

    /// Takes rows; those whose window has been given out at `watermark` are too late.
    pub(crate) fn push(&mut self, batch: Batch, watermark: Option<i64>) -> Result<(), Halt> {
        let mut parts: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, time) in times(&batch).iter().enumerate() {
            if watermark.is_some_and(|watermark| *time < watermark) {
                self.late += 1;
            } else {
                parts.entry(*time).or_default().push(row as u32);
            }
        }
        for (time, rows) in parts {
            let whole = rows.len() == batch.num_rows();
            let part = if whole {
                batch.clone()
            } else {
                take(&batch, &rows)?
            };
            let bucket = self.rows.entry(time).or_default();
            bucket.batches.push(part);
            bucket.stored.changed();
        }
        Ok(())
    }

    /// The first time whose window ends by `watermark`.
    pub(crate) fn due(&self, watermark: i64) -> Option<i64> {
        self.rows
            .keys()
            .next()
            .copied()
            .filter(|time| *time < watermark)
    }

    /// The rows of this time, which wait no longer.
    pub(crate) fn take(&mut self, time: i64) -> Result<Batch, Halt> {
        let bucket = self.rows.remove(&time).unwrap_or_default();
        Ok(concat(&self.schema, &bucket.batches)?)
    }

    pub(crate) fn snapshot(
        &mut self,
        tables: &mut Vec<Table>,
        epoch: u64,
        base: u64,
    ) -> Result<(), Halt> {
        for (time, bucket) in &mut self.rows {
            let name = format!("{}{time}", self.prefix);
            let mut table = Table {
                name,
                rows: None,
                hashes: Vec::new(),
            };
            if bucket.stored.is_due(epoch, base) {
                let rows = concat(&self.schema, &bucket.batches)?;
                hash::rows(
                    &columns(&rows, &self.keys)?,
                    rows.num_rows(),
                    &mut table.hashes,
                );
                bucket.batches = vec![rows.clone()];
                table.rows = Some(rows);
            }
            tables.push(table);
        }
        Ok(())
    }

    /// Takes what of `state` is its own.
    pub(crate) fn restore(&mut self, state: &mut State) -> Result<(), Halt> {
        for table in &mut state.tables {
            let Some(time) = table.name.strip_prefix(self.prefix) else {
                continue;
            };
            let bucket = self.rows.entry(time_of(time)?).or_default();
            bucket.stored.changed();
            bucket.batches.extend(table.rows.take());
        }
        Ok(())
    }

    pub(crate) fn late(&self) -> u64 {
        self.late
    }

    pub(crate) fn bytes(&self) -> usize {
        self.rows
            .values()
            .flat_map(|bucket| &bucket.batches)
            .map(bytes)
            .sum()
    }
}

/// The time in the name of a table.
pub(crate) fn time_of(name: &str) -> Result<i64, Halt> {
    name.parse()
        .map_err(|_| internal(format!("a table of state is called `{name}`")))
}

/// Columns as a batch, which may have rows but no columns.
pub(crate) fn batch(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<Batch, Halt> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(Batch::try_new_with_options(
        schema.clone(),
        columns,
        &options,
    )?)
}

/// What only a fault of this crate, or of the state it was given, can cause.
pub(crate) fn internal(error: impl std::fmt::Display) -> Halt {
    Halt::Failed(Failure::new(
        Domain::Internal,
        Hint::WithBackoff,
        error.to_string(),
    ))
}
