//! What a service hands to chassis, and what it gets.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rpc::HealthState;
use tokio::sync::watch;

use crate::http::Pages;
use crate::settings::Common;
use crate::trust::{Authority, Doorman, FleetPublicKey, TokenTable};

/// Why a service ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// SIGINT: somebody at a terminal pressed Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// The built-in procedure `DRAIN` was called.
    Drain,
}

pub(crate) type OnStop =
    Box<dyn FnOnce(StopReason) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What is served. A [`rpc::Server`] alone is one.
pub struct App {
    pub(crate) server: rpc::Server,
    pub(crate) pages: Pages,
    pub(crate) on_stop: Option<OnStop>,
}

impl App {
    /// Serves these procedures.
    #[must_use]
    pub fn new(server: rpc::Server) -> Self {
        Self {
            server,
            pages: Pages::default(),
            on_stop: None,
        }
    }

    /// Answers HTTP requests on the same port, apart from `/livez`, `/readyz` and `/metrics`.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(mut self, router: axum::Router) -> Self {
        self.pages.router = Some(router);
        self
    }

    /// Does this when the service is asked to end: after it has left discovery, and before calls
    /// in flight are waited for. It may take as long as it needs; a second signal cuts it short.
    #[must_use]
    pub fn on_stop<F, Fut>(mut self, stop: F) -> Self
    where
        F: FnOnce(StopReason) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_stop = Some(Box::new(|reason| Box::pin(stop(reason))));
        self
    }

    /// Whether HTTP is answered beyond probes.
    pub(crate) fn has_pages(&self) -> bool {
        #[cfg(feature = "http")]
        return self.pages.router.is_some();
        #[cfg(not(feature = "http"))]
        false
    }
}

impl From<rpc::Server> for App {
    fn from(server: rpc::Server) -> Self {
        Self::new(server)
    }
}

/// What `HEALTH` and `/readyz` answer; for a service that can tell when it cannot do its work.
#[derive(Clone, Debug)]
pub struct Health(pub(crate) Arc<watch::Sender<HealthState>>);

impl Health {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(HealthState::Starting)))
    }

    /// Says whether the service can do its work.
    pub fn set_failing(&self, failing: bool) {
        let (from, to) = if failing {
            (HealthState::Serving, HealthState::Failing)
        } else {
            (HealthState::Failing, HealthState::Serving)
        };
        self.change(|state| (state == from).then_some(to));
    }

    pub(crate) fn change(&self, to: impl FnOnce(HealthState) -> Option<HealthState>) {
        self.0.send_if_modified(|state| match to(*state) {
            Some(next) => {
                *state = next;
                true
            }
            None => false,
        });
    }
}

/// Gives text in OpenMetrics format.
pub(crate) type MetricsSource = Box<dyn Fn() -> String + Send + Sync>;

/// What a service is built from.
pub struct Setup<S> {
    /// Its own settings.
    pub settings: S,
    /// The settings that all services have.
    pub common: Common,
    /// Where it listens: bound already, and so never port 0.
    pub address: SocketAddr,
    /// Which instance it is.
    pub instance: String,
    /// What `HEALTH` answers.
    pub health: Health,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) metrics: Arc<Mutex<Vec<MetricsSource>>>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) registry: Arc<OnceLock<SocketAddr>>,
}

impl<S> Setup<S> {
    /// A server with the service's name and version, for its procedures to be added to.
    #[must_use]
    pub fn server(&self) -> rpc::Server {
        rpc::Server::new(self.name, self.version)
    }

    /// Whether calls to this service are guarded, as far as is known now.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.authority.is_on()
    }

    /// Who decides about requests that are no procedures.
    #[must_use]
    pub fn doorman(&self) -> Doorman {
        Doorman(Arc::clone(&self.authority))
    }

    /// Believes the tokens that are signed with this fleet's key; the settings may have said
    /// another one, which then stays.
    pub fn believe(&self, key: FleetPublicKey) {
        self.authority.believe(key);
    }

    /// Believes this table of tokens, which the service itself keeps up.
    pub fn believe_tokens(&self, table: Arc<TokenTable>) {
        let _ = self.authority.believe_tokens(table);
    }

    /// Says where discovery is, for whoever knows it better than the settings.
    pub fn discovery_is_at(&self, address: SocketAddr) {
        let _ = self.registry.set(address);
    }

    /// Adds text in OpenMetrics format to what `METRICS` and `/metrics` answer. Use this, and not
    /// [`rpc::Server::metrics`], which belongs to chassis.
    pub fn add_metrics(&self, text: impl Fn() -> String + Send + Sync + 'static) {
        self.metrics.lock().push(Box::new(text));
    }
}
