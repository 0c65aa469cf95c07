//! Many callers, each with one connection and one call in flight, as `redis-benchmark` has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Failure;
use crate::calls::LATENCY_NS_MAX;

/// What so many callers found.
pub(crate) struct Found {
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// One caller: made anew for each round.
pub(crate) trait Caller: Send + 'static {
    /// Makes one call; `number` is another one each time.
    fn call(&mut self, number: u64) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Has all of them call for so long, on one thread: the other core is the server's.
///
/// # Errors
/// The first call that fails.
pub(crate) fn round<C: Caller>(callers: Vec<C>, time: Duration) -> Result<Found, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Instant::now();
        let tasks: Vec<_> = callers
            .into_iter()
            .enumerate()
            .map(|(index, caller)| tokio::spawn(go_on(caller, index as u64, Arc::clone(&stop))))
            .collect();
        tokio::time::sleep(time).await;
        stop.store(true, Relaxed);
        let mut all = Histogram::<u64>::new_with_max(LATENCY_NS_MAX, 3)?;
        for task in tasks {
            all.add(task.await??)?;
        }
        let took = begun.elapsed().as_secs_f64();
        let us = |share| all.value_at_quantile(share) as f64 / 1_000.0;
        Ok(Found {
            per_second: all.len() as f64 / took,
            p50_us: us(0.5),
            p99_us: us(0.99),
        })
    })
}

async fn go_on<C: Caller>(
    mut caller: C,
    index: u64,
    stop: Arc<AtomicBool>,
) -> Result<Histogram<u64>, Failure> {
    let mut latency = Histogram::<u64>::new_with_max(LATENCY_NS_MAX, 3)?;
    let mut number = index << 32;
    while !stop.load(Relaxed) {
        let begun = Instant::now();
        caller.call(number).await?;
        let ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(LATENCY_NS_MAX);
        latency.record(ns.clamp(1, LATENCY_NS_MAX))?;
        number += 1;
    }
    Ok(latency)
}
