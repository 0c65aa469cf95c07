//! The two loops: what there is comes in, what is decided goes out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rpc::Error;
use scheduling::{PlaceArgs, Placement, PlacementsArgs, SchedulingClient};
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until, timeout};

use crate::lead::Lead;
use crate::mirror::Mirror;
use crate::stats::Stats;

/// Decisions written back together.
const BATCH_MAX: usize = 2_000;
/// What comes together is decided together.
const DEBOUNCE: Duration = Duration::from_millis(1);
/// Pause before scheduling is asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// What the loops and the procedures share.
pub(crate) struct Engine {
    pub(crate) mirror: Mutex<Mirror>,
    pub(crate) lead: Lead,
    pub(crate) stats: Stats,
    client: SchedulingClient,
    changed: Notify,
}

impl Engine {
    pub(crate) fn new(mirror: Mirror, lead: Lead, client: SchedulingClient) -> Self {
        Self {
            mirror: Mutex::new(mirror),
            lead,
            stats: Stats::default(),
            client,
            changed: Notify::new(),
        }
    }

    /// In OpenMetrics format.
    pub(crate) fn metrics(&self) -> String {
        let mirror = self.mirror.lock();
        let (waiting, nowhere) = (mirror.queue.len(), mirror.queue.nowhere());
        drop(mirror);
        let leads = self.lead.generation().is_some();
        self.stats.metrics(waiting, nowhere, leads)
    }

    /// Starts both loops, and stands for election.
    pub(crate) fn start(self: &Arc<Self>, poll: Duration) {
        let engine = Arc::clone(self);
        tokio::spawn(async move { engine.watch(poll).await });
        let engine = Arc::clone(self);
        tokio::spawn(async move { engine.decide().await });
        let engine = Arc::clone(self);
        tokio::spawn(async move { engine.lead.stand(engine.client.clone()).await });
    }

    /// Keeps the mirror up to date. Every `poll` everything is asked for anew, whatever the stream
    /// said: a gap in it would be nobody's fault that anybody sees.
    async fn watch(&self, poll: Duration) {
        loop {
            let follows = timeout(poll, self.follow());
            if let Ok(Err(error)) = follows.await {
                tracing::debug!(%error, "scheduling cannot be followed at the moment");
                sleep(AGAIN).await;
            }
        }
    }

    async fn follow(&self) -> Result<(), Error> {
        let mut stream = self.client.placements(&PlacementsArgs::default()).await?;
        while let Some(item) = stream.next().await {
            let item = item?;
            let whole = item.whole;
            self.mirror.lock().take(item);
            if whole {
                self.changed.notify_one();
            }
        }
        Ok(())
    }

    async fn decide(&self) {
        let mut leads = self.lead.follow();
        loop {
            let now = Instant::now();
            let wake_at = self.mirror.lock().queue.wake_at(now);
            let wake = async {
                match wake_at {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                _ = leads.changed() => {}
                () = wake => {}
            }
            sleep(DEBOUNCE).await;
            while let Some(generation) = self.lead.generation() {
                let now = Instant::now();
                let batch = self.mirror.lock().decide(BATCH_MAX, now, now_ms());
                if batch.looked_at == 0 {
                    break;
                }
                self.stats.decided(batch.looked_at, now.elapsed());
                if !batch.placements.is_empty() {
                    self.tell(generation, batch.placements).await;
                }
            }
        }
    }

    /// Writes decisions back, and takes note of what was not taken.
    async fn tell(&self, generation: u64, decisions: Vec<Placement>) {
        let args = PlaceArgs {
            generation,
            decisions,
        };
        let answer = self.client.place(&args).await;
        let now = Instant::now();
        let mut mirror = self.mirror.lock();
        let refused = match &answer {
            Ok(reply) => reply.refused.as_slice(),
            Err(error) => {
                tracing::warn!(%error, "decisions were not taken");
                if error.reason == scheduling::reason::DEPOSED {
                    self.lead.is_deposed();
                }
                &[]
            }
        };
        let mut refused = refused.iter();
        for placement in &args.decisions {
            let Ok(id) = placement.instance.parse() else {
                continue;
            };
            let failed = match refused.next() {
                Some(None) => None,
                Some(Some(why)) => Some(why.as_str()),
                None => Some("scheduling did not answer"),
            };
            match (&placement.node, failed) {
                (Some(_), None) => {
                    let since_ms = mirror.since_ms(&id);
                    let waited_ms = since_ms.map(|since| now_ms().saturating_sub(since));
                    self.stats.taken(waited_ms.unwrap_or(0));
                }
                (Some(_), Some(why)) => {
                    tracing::debug!(%id, why, "a decision was refused; it is decided again");
                    self.stats.refused();
                    mirror.unask(&id, now);
                }
                (None, None) => self.stats.nowhere(),
                (None, Some(_)) => mirror.queue.untold(&id),
            }
        }
    }
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
