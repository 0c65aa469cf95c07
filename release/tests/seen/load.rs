//! Calls of echo, many a second, while something else happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use discovery::Resolver;
use echo::{EchoArgs, EchoClient};
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::harness::Fleet;

const TICK: Duration = Duration::from_millis(2);

/// Calls that come whether or not the ones before have been answered.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    failed: Arc<Mutex<Vec<String>>>,
    begun: Instant,
    task: tokio::task::JoinHandle<()>,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) made: u64,
    pub(crate) per_second: f64,
    pub(crate) failed: Vec<String>,
}

impl Load {
    /// So many calls a second of echo, once discovery knows so many of it.
    pub(crate) async fn start(fleet: &Fleet, replicas: usize, per_second: u64) -> Self {
        let resolver = Resolver::new(fleet.discovery);
        let all = |known: &discovery::Resolved| known.instances.len() == replicas;
        assert!(
            resolver
                .wait_until("echo", chassis::testing::PATIENCE, all)
                .await
        );
        let client = Arc::new(EchoClient::new(resolver.channel("echo")));
        let load = (Arc::default(), Arc::default(), Arc::default());
        let (stop, made, failed): (Arc<AtomicBool>, Arc<AtomicU64>, Arc<Mutex<Vec<String>>>) = load;
        let (stops, counts, fails) = (Arc::clone(&stop), Arc::clone(&made), Arc::clone(&failed));
        let task = tokio::spawn(async move {
            let mut tick = interval(TICK);
            tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut calls = tokio::task::JoinSet::new();
            while !stops.load(Relaxed) {
                tick.tick().await;
                for _ in 0..per_second * 2 / 1_000 {
                    let (client, fails) = (Arc::clone(&client), Arc::clone(&fails));
                    counts.fetch_add(1, Relaxed);
                    calls.spawn(async move {
                        let message = "hello".to_owned();
                        if let Err(error) = client.echo(&EchoArgs { message }).await {
                            fails.lock().push(format!("{error:?}"));
                        }
                    });
                }
                while calls.try_join_next().is_some() {}
            }
            while calls.join_next().await.is_some() {}
            // The resolver follows echo for as long as it lives.
            drop(resolver);
        });
        Self {
            stop,
            made,
            failed,
            begun: Instant::now(),
            task,
        }
    }

    /// How many calls were made so far, and how many of them failed.
    pub(crate) fn so_far(&self) -> (u64, usize) {
        (self.made.load(Relaxed), self.failed.lock().len())
    }

    pub(crate) async fn stop(self) -> Outcome {
        self.stop.store(true, Relaxed);
        let took = self.begun.elapsed().as_secs_f64();
        self.task.await.unwrap();
        let made = self.made.load(Relaxed);
        let failed = std::mem::take(&mut *self.failed.lock());
        Outcome {
            made,
            per_second: made as f64 / took,
            failed,
        }
    }
}
