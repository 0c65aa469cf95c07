//! Aggregates over sessions: as long as rows of a key come less than a gap apart.
//!
//! A row exactly one gap after the last begins a new session, so that it makes no difference
//! whether the watermark or the row is seen first.

use std::sync::Arc;

use super::groups::{Groups, Shape};
use super::{Operator, Output, State, Table, rows};
use crate::aggregate::Accumulator;
use crate::columns::{ArrayRef, Batch, SchemaRef, TimestampArray, Type, times, timestamps};
use crate::failure::Halt;
use crate::keys::Keys;
use crate::plan;

pub(crate) struct Session {
    shape: Shape,
    gap: i64,
    keys: Keys,
    /// By group of `keys`, in the order of their times.
    sessions: Vec<Vec<Open>>,
    /// By slot.
    values: Vec<Box<dyn Accumulator>>,
    free: Vec<u32>,
    slots: u32,
    watermark: Option<i64>,
    /// No session ends before.
    first_end: i64,
    output: SchemaRef,
    late: u64,
}

/// A session that has not ended.
#[derive(Clone, Copy, Debug)]
struct Open {
    first: i64,
    last: i64,
    slot: u32,
}

impl Session {
    pub(crate) fn new(
        window: &plan::Window,
        gap: i64,
        input: &SchemaRef,
        output: SchemaRef,
    ) -> Result<Session, Halt> {
        let shape = Shape::new(window, input)?;
        let Groups { keys, values } = shape.groups()?;
        Ok(Session {
            shape,
            gap,
            keys,
            sessions: Vec::new(),
            values,
            free: Vec::new(),
            slots: 0,
            watermark: None,
            first_end: i64::MAX,
            output,
            late: 0,
        })
    }

    fn slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.values
                .iter_mut()
                .for_each(|value| value.resize(self.slots as usize));
            self.slots - 1
        })
    }

    /// The slot of the session of `key` that covers all from `first` to `last`; sessions that now
    /// touch become one.
    fn place(&mut self, key: u32, first: i64, last: i64, moves: &mut Moves) -> u32 {
        if self.sessions.len() <= key as usize {
            self.sessions.resize_with(key as usize + 1, Vec::new);
        }
        let (gap, open) = (self.gap, &mut self.sessions[key as usize]);
        let from = open.partition_point(|s| s.last.saturating_add(gap) <= first);
        let to = open.partition_point(|s| s.first < last.saturating_add(gap));
        if from >= to {
            let slot = self.slot();
            self.sessions[key as usize].insert(from, Open { first, last, slot });
            self.first_end = self.first_end.min(last.saturating_add(gap));
            return slot;
        }
        let target = open[from].slot;
        for other in &open[from + 1..to] {
            moves.0.push((other.slot, target));
        }
        open[from].first = open[from].first.min(first);
        open[from].last = open[to - 1].last.max(last);
        open.drain(from + 1..to);
        target
    }

    /// Adds what lies in slots that were given up to those that took their sessions over.
    fn settle(&mut self, moves: Moves, slots: &mut [u32]) {
        if moves.0.is_empty() {
            return;
        }
        let mut target: Vec<u32> = (0..self.slots).collect();
        for (from, to) in &moves.0 {
            target[*from as usize] = *to;
        }
        let resolve = |mut slot: u32| {
            while target[slot as usize] != slot {
                slot = target[slot as usize];
            }
            slot
        };
        slots.iter_mut().for_each(|slot| *slot = resolve(*slot));
        for (from, _) in &moves.0 {
            for value in &mut self.values {
                let state = value.state(&[*from]);
                value.merge(&[resolve(*from)], &state);
                value.clear(*from);
            }
            self.free.push(*from);
        }
    }

    fn give(&mut self, ended: &[(u32, Open)], out: &mut dyn Output) -> Result<(), Halt> {
        for part in ended.chunks(8192) {
            let keys: Vec<u32> = part.iter().map(|(key, _)| *key).collect();
            let slots: Vec<u32> = part.iter().map(|(_, open)| open.slot).collect();
            let mut columns = self.keys.columns(&keys)?;
            let end = |open: &Open| open.last.saturating_add(self.gap);
            columns.push(column(part.iter().map(|(_, open)| open.first)));
            columns.push(column(part.iter().map(|(_, open)| end(open))));
            columns.extend(self.values.iter().map(|value| value.finish(&slots)));
            columns.push(column(part.iter().map(|(_, open)| end(open) - 1)));
            out.emit(Batch::try_new(self.output.clone(), columns)?)?;
            for slot in slots {
                self.values.iter_mut().for_each(|value| value.clear(slot));
                self.free.push(slot);
            }
        }
        Ok(())
    }

    /// Forgets keys without sessions, when they are the most.
    fn forget(&mut self) -> Result<(), Halt> {
        let live = |open: &Vec<Open>| !open.is_empty();
        let count = self.sessions.iter().filter(|open| live(open)).count();
        if self.keys.len() < 1024 + 2 * count {
            return Ok(());
        }
        let groups: Vec<u32> = (0..self.sessions.len() as u32)
            .filter(|key| live(&self.sessions[*key as usize]))
            .collect();
        let (columns, hashes) = (self.keys.columns(&groups)?, self.keys.hashes(&groups));
        self.keys = self.shape.keys()?;
        let mut numbers = Vec::new();
        self.keys.groups(&columns, &hashes, &mut numbers)?;
        self.sessions.retain(live);
        Ok(())
    }

    fn all_open(&self) -> Vec<(u32, Open)> {
        let of = |(key, open): (usize, &Vec<Open>)| {
            open.iter()
                .map(|open| (key as u32, *open))
                .collect::<Vec<_>>()
        };
        self.sessions.iter().enumerate().flat_map(of).collect()
    }

    /// The columns of its state: first and last time, keys, aggregates.
    fn state_schema(&self) -> SchemaRef {
        let before = ["_first", "_last"].map(|name| Type::Timestamp.field(name));
        self.shape.state_schema(before.to_vec())
    }
}

/// From which slot to which.
#[derive(Default)]
struct Moves(Vec<(u32, u32)>);

fn column(times: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampArray::from_iter_values(times))
}

impl Operator for Session {
    fn batch(&mut self, _port: u32, batch: Batch, _out: &mut dyn Output) -> Result<(), Halt> {
        let batch = match self.watermark {
            Some(watermark) if times(&batch).iter().any(|time| *time < watermark) => {
                let rows = times(&batch).iter().enumerate();
                let kept = rows
                    .filter(|(_, time)| **time >= watermark)
                    .map(|(row, _)| row as u32);
                let kept: Vec<u32> = kept.collect();
                self.late += (batch.num_rows() - kept.len()) as u64;
                crate::columns::take(&batch, &kept)?
            }
            _ => batch,
        };
        let rows = self.shape.rows(&batch);
        let (mut groups, mut moves) = (Vec::new(), Moves::default());
        self.keys.groups(&rows.keys, &rows.hashes, &mut groups)?;
        let mut slots: Vec<u32> = groups
            .iter()
            .zip(times(&batch))
            .map(|(key, time)| self.place(*key, *time, *time, &mut moves))
            .collect();
        self.settle(moves, &mut slots);
        for (value, argument) in self.values.iter_mut().zip(&rows.arguments) {
            value.update(&slots, argument.as_ref());
        }
        Ok(())
    }

    fn watermark(&mut self, time: i64, out: &mut dyn Output) -> Result<(), Halt> {
        self.watermark = Some(time);
        if time < self.first_end {
            return Ok(());
        }
        let (gap, mut ended) = (self.gap, Vec::new());
        self.first_end = i64::MAX;
        for (key, open) in self.sessions.iter_mut().enumerate() {
            let count = open.partition_point(|open| open.last.saturating_add(gap) <= time);
            ended.extend(open.drain(..count).map(|open| (key as u32, open)));
            if let Some(next) = open.first() {
                self.first_end = self.first_end.min(next.last.saturating_add(gap));
            }
        }
        ended.sort_by_key(|(key, open)| (open.last, *key));
        self.give(&ended, out)?;
        self.forget()
    }

    fn snapshot(&mut self, _epoch: u64, _base: u64) -> Result<State, Halt> {
        let open = self.all_open();
        let keys: Vec<u32> = open.iter().map(|(key, _)| *key).collect();
        let slots: Vec<u32> = open.iter().map(|(_, open)| open.slot).collect();
        let mut columns = vec![
            column(open.iter().map(|(_, open)| open.first)),
            column(open.iter().map(|(_, open)| open.last)),
        ];
        columns.extend(self.keys.columns(&keys)?);
        columns.extend(self.values.iter().flat_map(|value| value.state(&slots)));
        let table = Table {
            name: "sessions".into(),
            rows: Some(rows::batch(&self.state_schema(), columns, open.len())?),
            hashes: self.keys.hashes(&keys),
        };
        Ok(State {
            tables: vec![table],
            ..State::default()
        })
    }

    fn restore(&mut self, state: State) -> Result<(), Halt> {
        self.watermark = self.watermark.max(state.watermark);
        for table in state.tables {
            let Some(batch) = table.rows else { continue };
            let (bounds, rest) = batch.columns().split_at(2);
            let (keys, values) = rest.split_at(self.shape.key_count());
            let (mut groups, mut moves) = (Vec::new(), Moves::default());
            self.keys.groups(keys, &table.hashes, &mut groups)?;
            let bounds = timestamps(&bounds[0]).iter().zip(timestamps(&bounds[1]));
            let mut slots: Vec<u32> = groups
                .iter()
                .zip(bounds)
                .map(|(key, (first, last))| self.place(*key, *first, *last, &mut moves))
                .collect();
            self.settle(moves, &mut slots);
            self.shape.merge(&mut self.values, &slots, values);
        }
        Ok(())
    }

    fn late(&self) -> u64 {
        self.late
    }

    fn state_bytes(&self) -> usize {
        self.keys.bytes() + self.values.iter().map(|value| value.bytes()).sum::<usize>()
    }
}
