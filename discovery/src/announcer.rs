//! Keeps a service registered for as long as it lives.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use chassis::{Announce, Announcement, Keeping, Standing};
use rpc::{CallOptions, Channel, Code, Error, Streaming};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, knock};
use crate::{
    DeregisterArgs, DiscoveryClient, HeartbeatArgs, Lease, Protocol, RegisterArgs, RegisterEvent,
    Registration,
};

/// How long discovery may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a farewell may take; whoever ends does not wait for long.
const FAREWELL: Duration = Duration::from_millis(500);

/// Registers with discovery, and again whenever the registration is lost: discovery restarted, the
/// connection broke, this process was stopped for longer than its lease.
#[derive(Clone, Copy, Debug, Default)]
pub struct Announcer {
    to_itself: bool,
}

impl Announcer {
    /// Registers where the settings say that discovery is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers with itself: this is how discovery is in its own list.
    #[must_use]
    pub fn to_itself() -> Self {
        Self { to_itself: true }
    }
}

impl Announce for Announcer {
    fn keep(
        self: Box<Self>,
        announcement: Announcement,
        standing: watch::Sender<Standing>,
        withdraw: CancellationToken,
    ) -> Keeping {
        let registry = if self.to_itself {
            announcement.address
        } else {
            announcement.registry
        };
        let keeper = Keeper {
            registry,
            args: register_args(announcement),
            standing,
            withdraw,
        };
        Box::pin(keeper.keep())
    }
}

fn register_args(announcement: Announcement) -> RegisterArgs {
    let protocol = if announcement.http {
        Protocol::Http
    } else {
        Protocol::Rpc
    };
    RegisterArgs {
        ttl_ms: u64::try_from(announcement.ttl.as_millis()).unwrap_or(u64::MAX),
        registration: Registration {
            service: announcement.service,
            instance: announcement.instance,
            address: announcement.address.to_string(),
            version: announcement.version,
            zone: announcement.zone,
            weight: announcement.weight,
            protocol,
            procedures: announcement.procedures,
            labels: BTreeMap::new(),
        },
    }
}

struct Keeper {
    registry: SocketAddr,
    args: RegisterArgs,
    standing: watch::Sender<Standing>,
    withdraw: CancellationToken,
}

/// A registration that holds.
struct Held {
    client: DiscoveryClient,
    stream: Streaming<RegisterEvent>,
    lease: Lease,
    ttl: Duration,
}

impl Keeper {
    async fn keep(self) {
        let withdraw = self.withdraw.clone();
        let mut backoff = Backoff::default();
        loop {
            // Leaving here drops a half-made registration, which cancels it.
            let Some(registered) = withdraw.run_until_cancelled(self.register()).await else {
                return;
            };
            let why = match registered {
                Ok(held) => {
                    backoff.reset();
                    let before = self.standing.send_replace(Standing::Announced);
                    if before != Standing::Trying {
                        tracing::info!(epoch = held.lease.epoch, "announced to discovery");
                    }
                    match self.hold(held).await {
                        Some(why) => why,
                        None => return,
                    }
                }
                Err(why) => why,
            };
            let before = self
                .standing
                .send_replace(Standing::Unreachable(why.clone()));
            if before == Standing::Announced {
                tracing::warn!(why, "the announcement is lost; announcing again");
            }
            let pause = sleep(backoff.pause());
            if withdraw.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    async fn register(&self) -> Result<Held, String> {
        knock(self.registry).await?;
        let no_answer = |_| format!("discovery at {} does not answer", self.registry);
        // A channel of its own each time: one that has failed for long waits before it connects.
        let client = DiscoveryClient::new(Channel::to(self.registry));
        let register = async {
            let mut stream = client.register(&self.args).await?;
            let first = stream.next().await;
            Ok::<_, Error>((stream, first.transpose()?))
        };
        let (stream, first) = timeout(PATIENCE, register)
            .await
            .map_err(no_answer)?
            .map_err(|e| format!("failed to register with discovery: {e}"))?;
        let Some(RegisterEvent::Registered { lease, ttl_ms, .. }) = first else {
            return Err("discovery ended the registration at once".to_owned());
        };
        Ok(Held {
            client,
            stream,
            lease,
            ttl: Duration::from_millis(ttl_ms),
        })
    }

    /// Renews the lease until it is lost, and says why; `None` when it was taken back.
    async fn hold(&self, mut held: Held) -> Option<String> {
        let period = (held.ttl / 3).max(Duration::from_millis(50));
        let mut beat = interval_at(Instant::now() + period, period);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.withdraw.cancelled() => {
                    self.say_farewell(&held).await;
                    return None;
                }
                event = held.stream.next() => match event {
                    Some(Ok(RegisterEvent::Registered { .. })) => {}
                    Some(Err(e)) => return Some(e.to_string()),
                    None => return Some("discovery ended the registration".to_owned()),
                },
                _ = beat.tick() => {
                    if let Err(e) = self.heartbeat(&held, period).await {
                        return Some(e.to_string());
                    }
                }
            }
        }
    }

    /// Fails when the lease is gone. A heartbeat that got lost is none of that: the next may
    /// arrive, and the stream says when the connection ends.
    async fn heartbeat(&self, held: &Held, period: Duration) -> Result<(), Error> {
        let Registration {
            service, instance, ..
        } = &self.args.registration;
        let args = HeartbeatArgs {
            service: service.clone(),
            instance: instance.clone(),
            lease: held.lease,
        };
        let client = held.client.with(within(period));
        match client.heartbeat(&args).await {
            Err(e) if e.code == Code::Conflict => Err(e),
            Err(e) => {
                tracing::debug!(error = %e, "a heartbeat was not answered");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    async fn say_farewell(&self, held: &Held) {
        let Registration {
            service, instance, ..
        } = &self.args.registration;
        let args = DeregisterArgs {
            service: service.clone(),
            instance: instance.clone(),
            lease: held.lease,
        };
        let client = held.client.with(within(FAREWELL));
        if let Err(e) = client.deregister(&args).await {
            // The stream ends with this process, and the lease with the stream.
            tracing::debug!(error = %e, "discovery did not hear the farewell");
        }
    }
}

fn within(timeout: Duration) -> CallOptions {
    CallOptions {
        timeout: Some(timeout),
        ..CallOptions::default()
    }
}
