//! From a procedure's number to what answers it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::connection::ServerConnection;
use super::handshakes::Handshakes;
use crate::builtin::{BuiltinDispatch, Builtins, HealthState};
use crate::metrics::{self, ProcedureStats};
use crate::service::{Dispatch, Procedure};
use crate::{Context, Error, Limits, ProcedureId};

/// Decides whether a call may be made; the seam where authorisation comes in.
pub trait Guard: Send + Sync + 'static {
    /// Looks at a call before its handler sees it.
    ///
    /// # Errors
    /// What the caller gets instead of a result.
    fn check(&self, context: &Context, procedure: &Procedure) -> Result<(), Error>;
}

/// One procedure of this server.
pub(crate) struct Route {
    pub(crate) procedure: &'static Procedure,
    pub(crate) dispatch: Arc<dyn Dispatch>,
    pub(crate) stats: ProcedureStats,
}

/// Everything that all connections of a server share.
pub(crate) struct Router {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) limits: Limits,
    pub(crate) guard: Option<Arc<dyn Guard>>,
    pub(crate) started: Instant,
    routes: Vec<Route>,
    health: AtomicU8,
    draining: AtomicBool,
    pub(crate) drain_asked: Notify,
    pub(crate) extra_metrics: Option<Arc<dyn Fn() -> String + Send + Sync>>,
    pub(crate) connections: Mutex<Vec<std::sync::Weak<ServerConnection>>>,
    pub(crate) connection_count: AtomicUsize,
    pub(crate) connection_gone: Notify,
    pub(crate) handshakes: Handshakes,
    stopped: AtomicBool,
}

/// What a server is made of.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) limits: Limits,
    pub(crate) guard: Option<Arc<dyn Guard>>,
    pub(crate) services: Vec<Arc<dyn Dispatch>>,
    pub(crate) extra_metrics: Option<Arc<dyn Fn() -> String + Send + Sync>>,
    pub(crate) health: HealthState,
}

impl Router {
    /// Fails if two services claim one number.
    pub(crate) fn new(parts: Parts) -> Result<Arc<Self>, Error> {
        let mut clash = None;
        let router = Arc::new_cyclic(|router| {
            let builtins = BuiltinDispatch::new(Builtins::new(router.clone()));
            let mut services = parts.services;
            services.push(Arc::new(builtins));
            let mut routes: Vec<Route> = Vec::new();
            for dispatch in services {
                routes.extend(dispatch.procedures().iter().map(|procedure| Route {
                    procedure,
                    dispatch: Arc::clone(&dispatch),
                    stats: ProcedureStats::default(),
                }));
            }
            routes.sort_by_key(|route| route.procedure.id);
            let same = |pair: &[Route]| pair[0].procedure.id == pair[1].procedure.id;
            clash = routes
                .windows(2)
                .find(|p| same(p))
                .map(|p| p[0].procedure.id);
            Self {
                name: parts.name,
                version: parts.version,
                limits: parts.limits,
                guard: parts.guard,
                started: Instant::now(),
                routes,
                health: AtomicU8::new(parts.health.to_wire()),
                draining: AtomicBool::new(false),
                drain_asked: Notify::new(),
                extra_metrics: parts.extra_metrics,
                connections: Mutex::new(Vec::new()),
                connection_count: AtomicUsize::new(0),
                connection_gone: Notify::new(),
                handshakes: Handshakes::default(),
                stopped: AtomicBool::new(false),
            }
        });
        match clash {
            Some(id) => {
                let message = format!("procedure {id} is declared by two services");
                Err(Error::internal("procedure-clash", message))
            }
            None => Ok(router),
        }
    }

    pub(crate) fn find(&self, id: ProcedureId) -> Option<usize> {
        self.routes
            .binary_search_by_key(&id, |route| route.procedure.id)
            .ok()
    }

    pub(crate) fn route(&self, index: usize) -> &Route {
        &self.routes[index]
    }

    /// All procedures but the built-in ones come first in the order of their services.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Route> + Clone {
        self.routes.iter()
    }

    pub(crate) fn metrics_text(&self) -> String {
        let mut text = metrics::render(self.routes.iter().map(|r| (r.procedure, &r.stats)));
        let connections = self.connection_count.load(Relaxed);
        text.push_str("# TYPE rpc_connections gauge\n");
        text.push_str(&format!("rpc_connections {connections}\n"));
        if let Some(extra) = &self.extra_metrics {
            text.push_str(&extra());
        }
        text.push_str("# EOF\n");
        text
    }

    pub(crate) fn health(&self) -> HealthState {
        if self.is_draining() {
            return HealthState::Draining;
        }
        HealthState::from_wire(self.health.load(Relaxed))
    }

    pub(crate) fn set_health(&self, state: HealthState) {
        self.health.store(state.to_wire(), Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// Ends every connection, also those that are still shaking hands.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Relaxed);
        self.handshakes.end_all();
        let connections = std::mem::take(&mut *self.connections.lock());
        for connection in connections.iter().filter_map(std::sync::Weak::upgrade) {
            connection.close();
        }
    }

    /// No further calls: each connection is told to go away, and ends with its last call.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Relaxed);
        self.drain_asked.notify_waiters();
        self.drain_asked.notify_one();
        let connections: Vec<_> = self.connections.lock().clone();
        for connection in connections.iter().filter_map(std::sync::Weak::upgrade) {
            connection.go_away();
        }
    }
}
