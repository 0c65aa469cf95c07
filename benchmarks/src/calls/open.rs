//! Callers that keep to a schedule, whether they are answered or not.
//!
//! Latency counts from when the call was due, not from when it was made: a server that stalls is
//! late for all the calls that were due meanwhile.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::load::{Caller, LATENCY_NS_MAX, Outcome};
use crate::Failure;
use crate::units::nanos;

/// The moments at which calls are due.
pub(crate) struct Schedule {
    next: Instant,
    every: Duration,
    end: Instant,
}

impl Schedule {
    pub(crate) fn new(per_second: u32, lasting: Duration) -> Self {
        let next = Instant::now();
        Self {
            next,
            every: Duration::from_secs(1) / per_second,
            end: next + lasting,
        }
    }

    /// The next moment, if it has come and is not the end.
    pub(crate) fn due(&mut self) -> Option<Instant> {
        let due = self.next;
        (due < self.end && due <= Instant::now()).then(|| {
            self.next += self.every;
            due
        })
    }

    /// Whether all moments have passed.
    pub(crate) fn is_over(&self) -> bool {
        self.next >= self.end
    }
}

/// Calls at a fixed rate. Spins between them, because a timer is a millisecond late: it needs a
/// core of its own.
///
/// # Errors
/// The first call that failed.
pub(crate) async fn open_loop<C: Caller>(
    caller: C,
    per_second: u32,
    payload: Bytes,
    lasting: Duration,
) -> Result<Outcome, Failure> {
    caller.call(payload.clone()).await?;
    let mut schedule = Schedule::new(per_second, lasting);
    let mut latency = Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3)?;
    let mut tasks = JoinSet::new();
    while !schedule.is_over() {
        while let Some(due) = schedule.due() {
            let (caller, payload) = (caller.clone(), payload.clone());
            tasks.spawn(async move {
                caller.call(payload).await?;
                Ok::<_, Failure>(due.elapsed())
            });
        }
        while let Some(ended) = tasks.try_join_next() {
            latency.saturating_record(nanos(ended??));
        }
        tokio::task::yield_now().await;
    }
    while let Some(ended) = tasks.join_next().await {
        latency.saturating_record(nanos(ended??));
    }
    Ok(Outcome::of(latency, lasting))
}
