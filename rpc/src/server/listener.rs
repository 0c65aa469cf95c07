//! Accepting connections, for as long as the server runs.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::connection::ServerConnection;
use super::driver::Driver;
use super::router::{Guard, Parts, Router};
use crate::builtin::HealthState;
use crate::frame::{PREFACE_BYTES, Preface};
use crate::service::Dispatch;
use crate::{Code, Error, Limits};

/// After a failed `accept` (no file descriptors left, say) the listener rests this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A server before it listens.
pub struct Server(Parts);

impl Server {
    /// A server that has only the built-in procedures. `name` is the service's.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self(Parts {
            name: name.into(),
            version: version.into(),
            limits: Limits::default(),
            guard: None,
            services: Vec::new(),
            extra_metrics: None,
            health: HealthState::Serving,
        })
    }

    /// Adds a service.
    #[must_use]
    pub fn service(mut self, dispatch: impl Dispatch) -> Self {
        self.0.services.push(Arc::new(dispatch));
        self
    }

    /// Replaces the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// Lets `guard` look at every call first.
    #[must_use]
    pub fn guard(mut self, guard: impl Guard) -> Self {
        self.0.guard = Some(Arc::new(guard));
        self
    }

    /// What `HEALTH` answers until [`Running::set_health`] says otherwise; `Serving` by default.
    #[must_use]
    pub fn health(mut self, state: HealthState) -> Self {
        self.0.health = state;
        self
    }

    /// Adds text in OpenMetrics format to what `METRICS` answers.
    #[must_use]
    pub fn metrics(mut self, text: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.0.extra_metrics = Some(Arc::new(text));
        self
    }

    /// Binds `address` and starts to serve. Port 0 takes a free one.
    ///
    /// # Errors
    /// `Unavailable` if the address cannot be bound.
    pub async fn listen(self, address: SocketAddr) -> Result<Running, Error> {
        let listener = TcpListener::bind(address).await.map_err(|e| {
            Error::unsent("cannot-bind", format!("failed to listen on {address}: {e}"))
                .with_hint("another process may hold the port; `PORT` chooses another one")
        })?;
        self.serve(listener)
    }

    /// Starts to serve on a listener that is bound already.
    ///
    /// # Errors
    /// `Internal` if two services claim the same procedure.
    pub fn serve(self, listener: TcpListener) -> Result<Running, Error> {
        let mut running = self.detached()?;
        running.address = listener
            .local_addr()
            .map_err(|e| Error::internal("listener", format!("the listener is unusable: {e}")))?;
        let router = Arc::clone(&running.router);
        running.accepting = Some(tokio::spawn(accept(listener, router)).abort_handle());
        Ok(running)
    }

    /// A server that accepts nothing by itself: streams come through [`Running::take_stream`].
    ///
    /// # Errors
    /// `Internal` if two services claim the same procedure.
    pub fn detached(self) -> Result<Running, Error> {
        let router = Router::new(self.0)?;
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        Ok(Running {
            address,
            router,
            accepting: None,
        })
    }
}

/// A server at work; it stops when this is dropped.
pub struct Running {
    address: SocketAddr,
    router: Arc<Router>,
    accepting: Option<AbortHandle>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves one stream that somebody else accepted: TLS, or a port shared with HTTP.
    pub async fn take_stream<S>(&self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        serve_stream(stream, peer, Arc::clone(&self.router)).await;
    }

    /// What `HEALTH` answers from now on.
    pub fn set_health(&self, state: HealthState) {
        self.router.set_health(state);
    }

    /// What `METRICS` answers now.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        self.router.metrics_text()
    }

    /// The numbers of its procedures, the built-in ones included.
    #[must_use]
    pub fn procedures(&self) -> Vec<crate::ProcedureId> {
        self.router
            .routes()
            .map(|route| route.procedure.id)
            .collect()
    }

    /// Connections open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.router.connection_count.load(Relaxed)
    }

    /// Connections that were accepted and have not said what every client says first.
    #[must_use]
    pub fn handshakes(&self) -> usize {
        self.router.handshakes.len()
    }

    /// Waits until somebody calls the built-in `DRAIN`.
    pub async fn drain_asked(&self) {
        if !self.router.is_draining() {
            self.router.drain_asked.notified().await;
        }
    }

    /// Accepts nothing more, tells every client to go elsewhere, and waits until the calls in
    /// flight are over, but no longer than `grace`. Returns whether all ended by themselves.
    pub async fn drain(&self, grace: Duration) -> bool {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        self.router.drain();
        let all_gone = async {
            loop {
                let gone = self.router.connection_gone.notified();
                tokio::pin!(gone);
                gone.as_mut().enable();
                if self.connections() == 0 {
                    return;
                }
                gone.await;
            }
        };
        timeout(grace, all_gone).await.is_ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        self.router.stop();
    }
}

/// Accepts until the server stops; no error ends it.
async fn accept(listener: TcpListener, router: Arc<Router>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(e) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, error = %e, "a connection ended before it began");
                    continue;
                }
                tokio::spawn(serve_stream(stream, peer, Arc::clone(&router)));
            }
            // The client's doing, and no reason to let others wait.
            Err(e) if e.kind() == ErrorKind::ConnectionAborted => {}
            Err(e) => {
                tracing::warn!(error = %e, "failed to accept a connection; trying again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_stream<S>(mut stream: S, peer: SocketAddr, router: Arc<Router>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &router.limits;
    let full = || router.connection_count.load(Relaxed) >= limits.connections_max;
    if full() {
        return tracing::warn!(%peer, "refused a connection: the limit is reached");
    }
    let handshake = router.handshakes.enter(limits.handshakes_max);
    let shaken = tokio::select! {
        shaken = timeout(limits.handshake_timeout, shake_hands(&mut stream, limits)) => shaken,
        () = handshake.evicted() => return tracing::debug!(%peer, "handshake made room"),
    };
    drop(handshake);
    match shaken {
        // Those who shook hands at the same time may be more than there is room for.
        Ok(Ok(_)) if full() => tracing::warn!(%peer, "refused a connection: the limit is reached"),
        Ok(Ok(_)) if router.is_stopped() => {}
        Ok(Ok(theirs)) => {
            let connection = ServerConnection::new(router, peer, &theirs);
            Driver::new(stream, connection).run().await;
        }
        Ok(Err(e)) => tracing::debug!(%peer, error = %e, "handshake failed"),
        Err(_) => tracing::debug!(%peer, "handshake took too long"),
    }
}

async fn shake_hands<S>(stream: &mut S, limits: &Limits) -> Result<Preface, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let lost = |e: std::io::Error| Error::new(Code::Unavailable, "handshake", e.to_string());
    let mut bytes = [0; PREFACE_BYTES];
    stream.read_exact(&mut bytes).await.map_err(lost)?;
    let theirs = Preface::read(&bytes)?;
    stream
        .write_all(&Preface::of(limits).to_bytes())
        .await
        .map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    Ok(theirs)
}
