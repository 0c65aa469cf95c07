//! The task that follows one service.

use std::future::{pending, ready};
use std::net::SocketAddr;
use std::sync::Arc;

use membership::Freshness;
use rpc::{Channel, Endpoint, Error, Streaming};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Resolved;
use super::known::Known;
use crate::backoff::{Backoff, knock};
use crate::{DiscoveryClient, Instance, Position, WatchArgs, WatchEvent};

/// What readers see.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    instances: Vec<Instance>,
    position: Option<Position>,
    /// Since when discovery has been away; `None` while it is there. Before the first answer, the
    /// moment of the first question.
    lost_at: Option<Instant>,
}

impl View {
    pub(super) fn is_known(&self) -> bool {
        self.position.is_some()
    }

    pub(super) fn resolved(&self) -> Resolved {
        let freshness = self.lost_at.map_or(Freshness::Live, |at| Freshness::Stale {
            age_ms: u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        Resolved {
            instances: self.instances.clone(),
            freshness,
            position: self.position,
        }
    }
}

/// Follows one service for as long as anybody reads what it learns.
pub(super) struct Feed {
    discovery: SocketAddr,
    service: String,
    known: Known,
    lost_at: Option<Instant>,
    view: watch::Sender<View>,
    endpoints: watch::Sender<Arc<[Endpoint]>>,
}

impl Feed {
    pub(super) fn new(
        discovery: SocketAddr,
        service: &str,
    ) -> (
        Self,
        watch::Receiver<View>,
        watch::Receiver<Arc<[Endpoint]>>,
    ) {
        let lost_at = Some(Instant::now());
        let (view, view_reader) = watch::channel(View {
            lost_at,
            ..View::default()
        });
        let (endpoints, endpoints_reader) = watch::channel(Arc::from([]));
        let feed = Self {
            discovery,
            service: service.to_owned(),
            known: Known::default(),
            lost_at,
            view,
            endpoints,
        };
        (feed, view_reader, endpoints_reader)
    }

    pub(super) async fn run(mut self) {
        let readers = self.endpoints.clone();
        tokio::select! {
            () = self.follow() => {}
            () = readers.closed() => {}
        }
    }

    async fn follow(&mut self) {
        let mut backoff = Backoff::default();
        loop {
            match self.open().await {
                Ok(stream) => {
                    self.known.reconnected();
                    let why = self.read(stream, &mut backoff).await;
                    tracing::debug!(service = self.service, why, "lost the watch on discovery");
                }
                Err(why) => tracing::trace!(service = self.service, why, "cannot watch discovery"),
            }
            self.lost_at.get_or_insert_with(Instant::now);
            self.publish();
            // Nobody is dropped meanwhile: settling needs a discovery that could confirm.
            sleep(backoff.pause()).await;
        }
    }

    async fn open(&self) -> Result<Streaming<WatchEvent>, String> {
        knock(self.discovery).await?;
        let client = DiscoveryClient::new(Channel::to(self.discovery));
        let args = WatchArgs {
            service: self.service.clone(),
            after: self.known.position(),
        };
        client.watch(&args).await.map_err(|e: Error| e.to_string())
    }

    /// Takes in what comes, until nothing more does, and says why. What comes at once is shown at
    /// once: a thousand registrations are not a thousand lists.
    async fn read(&mut self, mut stream: Streaming<WatchEvent>, backoff: &mut Backoff) -> String {
        let mut changed = false;
        loop {
            let due = self.known.settled_at();
            tokio::select! {
                biased;
                event = stream.next() => match event {
                    Some(Ok(event)) => {
                        backoff.reset();
                        self.lost_at = None;
                        self.known.apply(event, Instant::now());
                        changed = true;
                    }
                    Some(Err(e)) => return e.to_string(),
                    None => return "discovery ended the watch".to_owned(),
                },
                () = ready(()), if changed => {
                    self.publish();
                    changed = false;
                }
                () = until(due) => {
                    self.known.settle(Instant::now());
                    changed = true;
                }
            }
        }
    }

    fn publish(&self) {
        let endpoints = self.known.endpoints();
        self.endpoints.send_if_modified(|before| {
            let changed = *before != endpoints;
            if changed {
                *before = endpoints;
            }
            changed
        });
        self.view.send_replace(View {
            instances: self.known.instances(),
            position: self.known.position(),
            lost_at: self.lost_at,
        });
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
