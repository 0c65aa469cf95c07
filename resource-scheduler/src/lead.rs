//! Whether this replica decides.

use std::time::Duration;

use rpc::Error;
use scheduling::{LeadArgs, LeadItem, RenewArgs, SchedulingClient};
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Pause before it is a candidate again.
const AGAIN: Duration = Duration::from_millis(100);
/// The same after it has resigned: somebody else is to be elected.
const AGAIN_AFTER_RESIGNING: Duration = Duration::from_secs(2);
/// The lifetime of a lease, before scheduling has said it.
const TTL: Duration = Duration::from_secs(3);

/// Who leads, as far as this replica knows.
pub(crate) struct Lead {
    name: String,
    told: watch::Sender<LeadItem>,
    resign: Notify,
}

impl Lead {
    /// A replica of this name.
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            told: watch::Sender::new(LeadItem::default()),
            resign: Notify::new(),
        }
    }

    /// What scheduling said last.
    pub(crate) fn told(&self) -> LeadItem {
        self.told.borrow().clone()
    }

    /// Changes whenever who leads does.
    pub(crate) fn follow(&self) -> watch::Receiver<LeadItem> {
        self.told.subscribe()
    }

    /// What this replica was elected with, while it leads.
    pub(crate) fn generation(&self) -> Option<u64> {
        let told = self.told.borrow();
        (told.leader == self.name).then_some(told.generation)
    }

    /// Another one leads; nothing is decided until scheduling says otherwise.
    pub(crate) fn is_deposed(&self) {
        self.told.send_modify(|told| told.leader.clear());
    }

    /// Leads no more, if it does.
    pub(crate) fn resign(&self) -> bool {
        let led = self.generation().is_some();
        if led {
            self.is_deposed();
            self.resign.notify_one();
        }
        led
    }

    /// Is a candidate for as long as the process lives.
    pub(crate) async fn stand(&self, client: SchedulingClient) {
        loop {
            let term = self.term(&client).await;
            self.told.send_modify(|told| told.leader.clear());
            match term {
                Ok(()) => sleep(AGAIN_AFTER_RESIGNING).await,
                Err(error) => {
                    tracing::debug!(%error, "no candidate at the moment");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// Until it resigns, or can no longer say that it is there.
    async fn term(&self, client: &SchedulingClient) -> Result<(), Error> {
        let candidate = self.name.clone();
        let mut stream = client.lead(&LeadArgs { candidate }).await?;
        let mut ttl = TTL;
        let mut renewal = interval(ttl / 3);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                item = stream.next() => {
                    let item = item.ok_or_else(ended)??;
                    let said = Duration::from_millis(item.ttl_ms);
                    if said != ttl {
                        ttl = said;
                        renewal = interval(ttl / 3);
                    }
                    self.told.send_replace(item);
                }
                _ = renewal.tick() => {
                    let candidate = self.name.clone();
                    let args = RenewArgs { candidate };
                    let renewed = timeout(ttl / 3, client.renew(&args)).await;
                    renewed.map_err(|_| silent())??;
                }
                () = self.resign.notified() => return Ok(()),
            }
        }
    }
}

fn ended() -> Error {
    let message = "scheduling has ended the stream";
    Error::new(rpc::Code::Unavailable, "stream-ended", message)
}

fn silent() -> Error {
    let message = "scheduling does not answer";
    Error::new(rpc::Code::Unavailable, "no-answer", message)
}
