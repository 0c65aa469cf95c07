//! A service at work, and its end.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rpc::HealthState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::announced::Announced;
use crate::app::{App, Health, MetricsSource, OnStop, StopReason};
use crate::exit::Failure;
use crate::http::Http;
use crate::metrics::ProcessMetrics;
use crate::shared_port::{SharedPort, drain};

/// The signals that ask a service to end.
pub(crate) struct Stops {
    interrupt: Signal,
    terminate: Signal,
}

impl Stops {
    /// From now on these signals do not kill the process.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for one. Cancel safe.
    pub(crate) async fn signal(&mut self) -> StopReason {
        tokio::select! {
            _ = self.interrupt.recv() => StopReason::Interrupt,
            _ = self.terminate.recv() => StopReason::Terminate,
        }
    }
}

/// A service at work.
pub(crate) struct Serving {
    pub(crate) rpc: Arc<rpc::Running>,
    port: SharedPort,
    health: Health,
    on_stop: Option<OnStop>,
}

impl Serving {
    /// Starts to accept calls.
    pub(crate) fn start(
        listener: std::net::TcpListener,
        app: App,
        health: Health,
        metrics: Arc<Mutex<Vec<MetricsSource>>>,
    ) -> Result<Self, Failure> {
        let process = ProcessMetrics::new();
        let all_metrics = move || {
            let own = metrics
                .lock()
                .iter()
                .map(|source| source())
                .collect::<String>();
            process.render() + &own
        };
        let server = app.server.metrics(all_metrics).health(HealthState::Serving);
        let rpc = Arc::new(server.detached()?);
        let http = Http {
            rpc: Arc::clone(&rpc),
            health: health.0.subscribe(),
            pages: app.pages,
        };
        health.change(|state| (state == HealthState::Starting).then_some(HealthState::Serving));
        let listener = tokio::net::TcpListener::from_std(listener)?;
        Ok(Self {
            port: SharedPort::open(listener, Arc::clone(&rpc), http),
            rpc,
            health,
            on_stop: app.on_stop,
        })
    }

    /// Waits until somebody wants the service to end, and passes its health on meanwhile.
    pub(crate) async fn until_stopped(&self, stops: &mut Stops) -> StopReason {
        let mut health = self.health.0.subscribe();
        health.mark_changed();
        loop {
            tokio::select! {
                reason = stops.signal() => return reason,
                () = self.rpc.drain_asked() => return StopReason::Drain,
                Ok(()) = health.changed() => self.rpc.set_health(*health.borrow_and_update()),
            }
        }
    }

    /// First nobody new is sent here, then what is under way may end.
    pub(crate) async fn stop(self, reason: StopReason, announced: Announced, grace: Duration) {
        self.health.change(|_| Some(HealthState::Draining));
        self.rpc.set_health(HealthState::Draining);
        announced.withdraw().await;
        if let Some(on_stop) = self.on_stop {
            on_stop(reason).await;
        }
        if !drain(&self.port, &self.rpc, grace).await {
            tracing::warn!(?grace, "calls in flight were cut off: the grace is over");
        }
    }
}
