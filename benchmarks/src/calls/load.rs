//! Callers that call again as soon as they are answered, and callers that keep to a schedule.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::Failure;
use crate::units::{nanos, to_f64};

/// One call in so many is timed: reading the clock twice a call would cost a tenth of the calls
/// at three million a second. Prime, so that it falls on every caller in turn.
const SAMPLE_EVERY: u64 = 17;
/// Not counted: connections warm up, buffers find their size.
const WARM_UP: Duration = Duration::from_millis(60);

/// Longer ones count as this long: a minute.
pub(crate) const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// What to do on a connection.
pub(crate) enum Work {
    /// Keep so many calls in flight.
    Closed {
        in_flight: usize,
        payload: Bytes,
        lasting: Duration,
    },
    /// Make so many calls a second.
    Open {
        per_second: u32,
        payload: Bytes,
        lasting: Duration,
    },
}

/// A connection that can make calls, many at a time.
pub(crate) trait Caller: Clone + Send + 'static {
    /// Sends `payload` and returns the length of what came back.
    fn call(&self, payload: Bytes) -> impl Future<Output = Result<usize, Failure>> + Send;
}

/// What was counted while measuring.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Calls answered per second.
    pub(crate) per_second: f64,
    /// Latency, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// All calls, those of the warm-up too.
    pub(crate) calls: u64,
}

impl Outcome {
    /// What came of calls that were all timed.
    pub(crate) fn of(latency: Histogram<u64>, lasting: Duration) -> Self {
        let calls = latency.len();
        Self {
            per_second: to_f64(calls) / lasting.as_secs_f64(),
            latency,
            calls,
        }
    }
}

/// Counts calls and times some; shared by all callers of a measurement, on one thread.
pub(crate) struct Meter {
    begin: Instant,
    end: Instant,
    calls: AtomicU64,
    over: AtomicBool,
    timed: Mutex<Timed>,
}

struct Timed {
    started: Option<(Instant, u64)>,
    ended: Option<(Instant, u64)>,
    latency: Histogram<u64>,
}

impl Meter {
    /// A meter that measures for `lasting` from the end of the warm-up on.
    pub(crate) fn new(lasting: Duration) -> Result<Arc<Self>, Failure> {
        let begin = Instant::now() + WARM_UP;
        let timed = Timed {
            started: None,
            ended: None,
            latency: Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3)?,
        };
        Ok(Arc::new(Self {
            begin,
            end: begin + lasting,
            calls: AtomicU64::new(0),
            over: AtomicBool::new(false),
            timed: Mutex::new(timed),
        }))
    }

    /// Whether the time is up.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Counts a call that begins; its time, if it is one of those to be timed.
    pub(crate) fn begin_call(&self) -> Option<Instant> {
        // One thread: a load and a store are enough, and cost nothing.
        let calls = self.calls.load(Relaxed) + 1;
        self.calls.store(calls, Relaxed);
        calls.is_multiple_of(SAMPLE_EVERY).then(Instant::now)
    }

    /// Ends a call that was timed.
    pub(crate) fn end_call(&self, began: Instant) {
        let now = Instant::now();
        if now < self.begin {
            return;
        }
        let calls = self.calls.load(Relaxed);
        let mut timed = self.timed.lock().unwrap_or_else(PoisonError::into_inner);
        if timed.started.is_none() {
            timed.started = Some((now, calls));
        }
        if timed.ended.is_none() {
            timed.latency.saturating_record(nanos(now - began));
        }
        if now >= self.end && timed.ended.is_none() {
            timed.ended = Some((now, calls));
            self.over.store(true, Relaxed);
        }
    }

    /// What was counted.
    ///
    /// # Errors
    /// If nothing was.
    pub(crate) fn outcome(&self) -> Result<Outcome, Failure> {
        let timed = self.timed.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some((began, first)), Some((ended, last))) = (timed.started, timed.ended) else {
            return Err("no call was answered while measuring".into());
        };
        Ok(Outcome {
            per_second: to_f64(last - first) / (ended - began).as_secs_f64(),
            latency: timed.latency.clone(),
            calls: self.calls.load(Relaxed),
        })
    }
}

/// `callers` tasks, each of which calls again as soon as it is answered.
///
/// # Errors
/// The first call that failed.
pub(crate) async fn closed_loop<C: Caller>(
    caller: C,
    callers: usize,
    payload: Bytes,
    lasting: Duration,
) -> Result<Outcome, Failure> {
    let meter = Meter::new(lasting)?;
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        tasks.spawn(call_until_over(
            caller.clone(),
            payload.clone(),
            Arc::clone(&meter),
        ));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    meter.outcome()
}

async fn call_until_over<C: Caller>(
    caller: C,
    payload: Bytes,
    meter: Arc<Meter>,
) -> Result<(), Failure> {
    while !meter.is_over() {
        let timed = meter.begin_call();
        let length = caller.call(payload.clone()).await?;
        if length != payload.len() {
            return Err(format!("{} bytes were echoed as {length}", payload.len()).into());
        }
        if let Some(began) = timed {
            meter.end_call(began);
        }
    }
    Ok(())
}
