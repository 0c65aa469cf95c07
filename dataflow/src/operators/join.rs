//! Joins of rows whose windows end at the same time.

use arrow_row::{RowConverter, Rows, SortField};
use hashbrown::HashMap;

use super::rows::{Waiting, internal};
use super::stateless::columns;
use super::{Operator, Output, State};
use crate::columns::{Array, ArrayRef, Batch, SchemaRef, UInt32Array, one_zero};
use crate::expression::column_kind;
use crate::failure::Halt;
use crate::plan::{self, Side};

pub(crate) struct Join {
    plan: plan::Join,
    left: Waiting,
    right: Waiting,
    converter: RowConverter,
    watermark: Option<i64>,
    output: SchemaRef,
}

impl Join {
    pub(crate) fn new(
        join: &plan::Join,
        inputs: &[SchemaRef],
        output: SchemaRef,
    ) -> Result<Join, Halt> {
        let mut fields = Vec::new();
        for name in &join.left {
            let kind = column_kind(name, &inputs[0]).map_err(internal)?;
            fields.push(SortField::new(kind.arrow()));
        }
        Ok(Join {
            left: Waiting::new(inputs[0].clone(), join.left.clone(), 'l'),
            right: Waiting::new(inputs[1].clone(), join.right.clone(), 'r'),
            plan: join.clone(),
            converter: RowConverter::new(fields)?,
            watermark: None,
            output,
        })
    }

    /// The keys of rows; a key with a null equals none.
    fn keys(&self, batch: &Batch, names: &[String]) -> Result<(Rows, Vec<bool>), Halt> {
        let columns = columns(batch, names)?;
        let valid = (0..batch.num_rows())
            .map(|row| columns.iter().all(|column| column.is_valid(row)))
            .collect();
        let columns: Vec<ArrayRef> = columns.iter().map(one_zero).collect();
        Ok((self.converter.convert_columns(&columns)?, valid))
    }

    /// The pairs of rows that belong together; none stands for a partner that is not there.
    fn pairs(&self, left: &Batch, right: &Batch) -> Result<(UInt32Array, UInt32Array), Halt> {
        let (mut lefts, mut rights) = (Vec::new(), Vec::new());
        if self.plan.left.is_empty() {
            for row in 0..left.num_rows() as u32 {
                for other in 0..right.num_rows() as u32 {
                    lefts.push(Some(row));
                    rights.push(Some(other));
                }
            }
            return Ok((lefts.into(), rights.into()));
        }
        let (left_keys, left_valid) = self.keys(left, &self.plan.left)?;
        let (right_keys, right_valid) = self.keys(right, &self.plan.right)?;
        let mut index: HashMap<&[u8], Vec<u32>, Stable> = HashMap::default();
        for row in (0..right.num_rows()).filter(|row| right_valid[*row]) {
            index
                .entry(right_keys.row(row).data())
                .or_default()
                .push(row as u32);
        }
        let mut matched = vec![false; right.num_rows()];
        for (row, valid) in left_valid.iter().enumerate() {
            let found = valid
                .then(|| index.get(left_keys.row(row).data()))
                .flatten();
            for other in found.into_iter().flatten() {
                lefts.push(Some(row as u32));
                rights.push(Some(*other));
                matched[*other as usize] = true;
            }
            if found.is_none() && self.plan.side != Side::Inner {
                lefts.push(Some(row as u32));
                rights.push(None);
            }
        }
        if self.plan.side == Side::Full {
            for row in (0..matched.len()).filter(|row| !matched[*row]) {
                lefts.push(None);
                rights.push(Some(row as u32));
            }
        }
        Ok((lefts.into(), rights.into()))
    }

    fn fire(&mut self, time: i64, out: &mut dyn Output) -> Result<(), Halt> {
        let (left, right) = (self.left.take(time)?, self.right.take(time)?);
        let (lefts, rights) = self.pairs(&left, &right)?;
        if lefts.is_empty() {
            return Ok(());
        }
        let mut arrays = Vec::new();
        for (batch, rows) in [(&left, &lefts), (&right, &rights)] {
            for column in &batch.columns()[..batch.num_columns() - 1] {
                arrays.push(arrow_select::take::take(column, rows, None)?);
            }
        }
        let times = vec![time; lefts.len()];
        arrays.push(std::sync::Arc::new(crate::columns::TimestampArray::from(
            times,
        )));
        out.emit(Batch::try_new(self.output.clone(), arrays)?)
    }
}

impl Operator for Join {
    fn batch(&mut self, port: u32, batch: Batch, _out: &mut dyn Output) -> Result<(), Halt> {
        match port {
            0 => self.left.push(batch, self.watermark),
            _ => self.right.push(batch, self.watermark),
        }
    }

    fn watermark(&mut self, time: i64, out: &mut dyn Output) -> Result<(), Halt> {
        loop {
            let due = [self.left.due(time), self.right.due(time)];
            let Some(first) = due.into_iter().flatten().min() else {
                break;
            };
            self.fire(first, out)?;
        }
        self.watermark = Some(time);
        Ok(())
    }

    fn snapshot(&mut self, epoch: u64, base: u64) -> Result<State, Halt> {
        let mut state = State::default();
        self.left.snapshot(&mut state.tables, epoch, base)?;
        self.right.snapshot(&mut state.tables, epoch, base)?;
        Ok(state)
    }

    fn restore(&mut self, mut state: State) -> Result<(), Halt> {
        self.watermark = self.watermark.max(state.watermark);
        self.left.restore(&mut state)?;
        self.right.restore(&mut state)
    }

    fn late(&self) -> u64 {
        self.left.late() + self.right.late()
    }

    fn state_bytes(&self) -> usize {
        self.left.bytes() + self.right.bytes()
    }
}

/// Our own hash for a map.
#[derive(Clone, Copy, Default)]
struct Stable;

impl std::hash::BuildHasher for Stable {
    type Hasher = StableHasher;

    fn build_hasher(&self) -> StableHasher {
        StableHasher(0)
    }
}

struct StableHasher(u64);

impl std::hash::Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(5) ^ crate::hash::bytes(bytes);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
