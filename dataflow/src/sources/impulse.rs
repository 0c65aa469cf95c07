//! Rows that are numbered, at equal distances of event time.

use std::sync::Arc;
use std::time::Instant;

use super::{Read, Reader};
use crate::columns::{
    Batch, Column, Int64Array, SchemaRef, TimestampArray, Type, schema_with_time,
};
use crate::failure::Halt;

/// The columns of an impulse.
pub(crate) fn columns() -> Vec<Column> {
    let column = |name: &str, kind| Column {
        name: name.into(),
        kind,
    };
    vec![
        column("counter", Type::Int),
        column("subtask_index", Type::Int),
        column("timestamp", Type::Timestamp),
    ]
}

/// The event times of the rows.
pub(super) struct Times {
    pub(super) start: i64,
    pub(super) step: i64,
}

/// One of several lanes, each of which has every n-th number. The position is how many it gave.
pub(super) struct Impulse {
    lane: u64,
    lanes: u64,
    /// How many rows this lane has.
    count: u64,
    given: u64,
    rate: u64,
    times: Times,
    since: Instant,
    given_before: u64,
    schema: SchemaRef,
}

impl Impulse {
    pub(super) fn new(
        (lane, lanes): (u64, u64),
        count: Option<u64>,
        rate: u64,
        times: Times,
        from: u64,
    ) -> Impulse {
        let lanes = lanes.max(1);
        let own = |count: u64| count.saturating_sub(lane).div_ceil(lanes);
        Impulse {
            lane,
            lanes,
            count: count.map_or(u64::MAX, own),
            given: from,
            rate,
            times,
            since: Instant::now(),
            given_before: from,
            schema: schema_with_time(columns().iter().map(|c| c.kind.field(&c.name)).collect()),
        }
    }

    /// How many rows are due.
    fn due(&self) -> u64 {
        let left = self.count.saturating_sub(self.given);
        if self.rate == 0 {
            return left;
        }
        let due = self.since.elapsed().as_micros() * u128::from(self.rate) / 1_000_000;
        let due = u64::try_from(due)
            .unwrap_or(u64::MAX)
            .saturating_add(self.given_before);
        left.min(due.saturating_sub(self.given))
    }
}

impl Reader for Impulse {
    fn read(&mut self, rows: usize) -> Result<Read, Halt> {
        if self.given >= self.count {
            return Ok(Read::End);
        }
        let rows = self.due().min(rows as u64);
        if rows == 0 {
            return Ok(Read::Quiet);
        }
        let (first, lanes) = (
            (self.given * self.lanes + self.lane) as i64,
            self.lanes as i64,
        );
        let counters = Int64Array::from_iter_values((0..rows as i64).map(|n| first + n * lanes));
        let (start, step) = (self.times.start, self.times.step);
        let time = |counter: &i64| start.wrapping_add(counter.wrapping_mul(step));
        let times = Arc::new(TimestampArray::from_iter_values(
            counters.values().iter().map(time),
        ));
        let lane = Int64Array::from_value(self.lane as i64, rows as usize);
        self.given += rows;
        let columns: Vec<crate::columns::ArrayRef> =
            vec![Arc::new(counters), Arc::new(lane), times.clone(), times];
        Ok(Read::Batch(Batch::try_new(self.schema.clone(), columns)?))
    }

    fn position(&self) -> u64 {
        self.given
    }
}
