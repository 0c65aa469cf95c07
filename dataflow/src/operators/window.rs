//! Aggregates over tumbling and sliding windows, and over the windows of the input's own rows.
//!
//! Rows are gathered in *panes* as long as the slide; a window that ends is the sum of its panes.
//! A tumbling window is one pane. A row of a windowed input has its window's last microsecond as
//! event time, so that windows over windows are panes one microsecond long.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::groups::{Groups, Rows, Shape};
use super::{Operator, Output, State, Stored, Table, floor, rows};
use crate::columns::{ArrayRef, Batch, END_OF_TIME, SchemaRef, TimestampArray, times};
use crate::failure::Halt;
use crate::plan::{self, Span};

/// Rows of a batch that is given out, at most.
const EMITTED_ROWS_MAX: usize = 8192;

pub(crate) struct Window {
    shape: Shape,
    slide: i64,
    width: i64,
    /// Whether the window's start and end are given out.
    bounds: bool,
    panes: BTreeMap<i64, Pane>,
    watermark: Option<i64>,
    output: SchemaRef,
    late: u64,
    scratch: Vec<u32>,
}

struct Pane {
    groups: Groups,
    stored: Stored,
}

impl Window {
    pub(crate) fn new(
        window: &plan::Window,
        input: &SchemaRef,
        output: SchemaRef,
    ) -> Result<Window, Halt> {
        let (slide, width, bounds) = match window.span {
            Span::Tumbling { width } => (width, width, true),
            Span::Sliding { slide, width } => (slide, width, true),
            Span::Same | Span::Session { .. } => (1, 1, false),
        };
        Ok(Window {
            shape: Shape::new(window, input)?,
            slide,
            width,
            bounds,
            panes: BTreeMap::new(),
            watermark: None,
            output,
            late: 0,
            scratch: Vec::new(),
        })
    }

    fn update(&mut self, start: i64, rows: &Rows) -> Result<(), Halt> {
        let pane = pane(&mut self.panes, start, &self.shape)?;
        pane.stored.changed();
        pane.groups.update(rows, &mut self.scratch)
    }

    /// Rows of several panes, each row to its own; late ones to none.
    fn scatter(&mut self, batch: &Batch, first: i64) -> Result<(), Halt> {
        let mut parts: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, time) in times(batch).iter().enumerate() {
            let start = floor(*time, self.slide);
            if start < first {
                self.late += 1;
            } else {
                parts.entry(start).or_default().push(row as u32);
            }
        }
        for (start, rows) in parts {
            let part = crate::columns::take(batch, &rows)?;
            self.update(start, &self.shape.rows(&part))?;
        }
        Ok(())
    }

    /// The end of the first window after `last` that has a pane.
    fn next_end(&self, last: Option<i64>) -> Option<i64> {
        let (first, _) = self.panes.first_key_value()?;
        let end = first.saturating_add(self.slide);
        Some(last.map_or(end, |last| {
            end.max(floor(last, self.slide).saturating_add(self.slide))
        }))
    }

    fn fire(&mut self, end: i64, out: &mut dyn Output) -> Result<(), Halt> {
        let start = end.saturating_sub(self.width);
        if self.slide == self.width {
            return match self.panes.remove(&start) {
                Some(pane) => self.give(&pane.groups, start, end, out),
                None => Ok(()),
            };
        }
        let mut sum = self.shape.groups()?;
        let mut any = false;
        for pane in self.panes.range(start..end).map(|(_, pane)| &pane.groups) {
            let all = pane.all();
            let (state, hashes) = (pane.state(&all)?, pane.keys.hashes(&all));
            sum.merge(&self.shape, &state, &hashes, &mut self.scratch)?;
            any = true;
        }
        if any {
            self.give(&sum, start, end, out)?;
        }
        self.panes = self.panes.split_off(&start.saturating_add(self.slide));
        Ok(())
    }

    fn give(
        &self,
        groups: &Groups,
        start: i64,
        end: i64,
        out: &mut dyn Output,
    ) -> Result<(), Halt> {
        for part in groups.all().chunks(EMITTED_ROWS_MAX) {
            let repeat =
                |time: i64| -> ArrayRef { Arc::new(TimestampArray::from(vec![time; part.len()])) };
            let mut columns = groups.keys.columns(part)?;
            if self.bounds {
                columns.extend([repeat(start), repeat(end)]);
            }
            columns.extend(groups.values.iter().map(|value| value.finish(part)));
            columns.push(repeat(end - 1));
            out.emit(Batch::try_new(self.output.clone(), columns)?)?;
        }
        Ok(())
    }
}

fn pane<'a>(
    panes: &'a mut BTreeMap<i64, Pane>,
    start: i64,
    shape: &Shape,
) -> Result<&'a mut Pane, Halt> {
    use std::collections::btree_map::Entry;
    match panes.entry(start) {
        Entry::Occupied(pane) => Ok(pane.into_mut()),
        Entry::Vacant(place) => Ok(place.insert(Pane {
            groups: shape.groups()?,
            stored: Stored::default(),
        })),
    }
}

impl Operator for Window {
    fn batch(&mut self, _port: u32, batch: Batch, _out: &mut dyn Output) -> Result<(), Halt> {
        let times = times(&batch);
        let (mut least, mut greatest) = (i64::MAX, i64::MIN);
        for time in times {
            least = least.min(*time);
            greatest = greatest.max(*time);
        }
        if times.is_empty() {
            return Ok(());
        }
        let first = self
            .watermark
            .map_or(i64::MIN, |time| floor(time, self.slide));
        let start = floor(least, self.slide);
        match start == floor(greatest, self.slide) && start >= first {
            true => self.update(start, &self.shape.rows(&batch)),
            false => self.scatter(&batch, first),
        }
    }

    fn watermark(&mut self, time: i64, out: &mut dyn Output) -> Result<(), Halt> {
        let mut last = self.watermark;
        while let Some(end) = self.next_end(last).filter(|end| *end <= time) {
            self.fire(end, out)?;
            last = Some(end);
            if end == END_OF_TIME {
                self.panes.clear();
            }
        }
        self.watermark = Some(time);
        Ok(())
    }

    fn snapshot(&mut self, epoch: u64, base: u64) -> Result<State, Halt> {
        let schema = self.shape.state_schema(Vec::new());
        let mut tables = Vec::new();
        for (start, pane) in &mut self.panes {
            let mut table = Table {
                name: start.to_string(),
                rows: None,
                hashes: Vec::new(),
            };
            if pane.stored.is_due(epoch, base) {
                let all = pane.groups.all();
                table.rows = Some(rows::batch(&schema, pane.groups.state(&all)?, all.len())?);
                table.hashes = pane.groups.keys.hashes(&all);
            }
            tables.push(table);
        }
        Ok(State {
            tables,
            ..State::default()
        })
    }

    fn restore(&mut self, state: State) -> Result<(), Halt> {
        self.watermark = self.watermark.max(state.watermark);
        for table in state.tables {
            let start = rows::time_of(&table.name)?;
            let Some(batch) = table.rows else { continue };
            let pane = pane(&mut self.panes, start, &self.shape)?;
            let columns = batch.columns();
            pane.groups
                .merge(&self.shape, columns, &table.hashes, &mut self.scratch)?;
        }
        Ok(())
    }

    fn late(&self) -> u64 {
        self.late
    }

    fn state_bytes(&self) -> usize {
        self.panes.values().map(|pane| pane.groups.bytes()).sum()
    }
}
