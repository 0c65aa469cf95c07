//! One port for procedures and for HTTP: the first four bytes of a connection say which it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::Http;

/// Connections at a time, of both kinds and before their kind is known.
const CONNECTIONS_MAX: usize = 65_536;
/// How long a connection may take to say what it is.
const FIRST_BYTES_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a connection that has said one to three bytes is looked at again. The kernel wakes
/// nobody for the bytes that were there before, so this rare case is polled.
const FIRST_BYTES_POLL: Duration = Duration::from_millis(5);
/// After a failed `accept` (no file descriptors left, say) the listener rests this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A port being served.
pub(crate) struct SharedPort {
    accepting: CancellationToken,
    http_ends: CancellationToken,
    http_connections: TaskTracker,
}

struct Shared {
    rpc: Arc<rpc::Running>,
    http: Http,
    http_ends: CancellationToken,
    http_connections: TaskTracker,
}

impl SharedPort {
    /// Starts to accept; no error ends that.
    pub(crate) fn open(listener: TcpListener, rpc: Arc<rpc::Running>, http: Http) -> Self {
        let port = Self {
            accepting: CancellationToken::new(),
            http_ends: CancellationToken::new(),
            http_connections: TaskTracker::new(),
        };
        let shared = Arc::new(Shared {
            rpc,
            http,
            http_ends: port.http_ends.clone(),
            http_connections: port.http_connections.clone(),
        });
        let until = port.accepting.clone();
        tokio::spawn(until.run_until_cancelled_owned(accept(listener, shared)));
        port
    }

    /// Accepts nothing more.
    pub(crate) fn close(&self) {
        self.accepting.cancel();
    }

    /// Lets the HTTP requests in flight end. Wait for it no longer than you like.
    pub(crate) async fn drain_http(&self) {
        self.http_ends.cancel();
        self.http_connections.close();
        self.http_connections.wait().await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Waiting here leaves further connections in the kernel's queue, which is bounded too.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    shared.serve(stream, peer).await;
                    drop(place);
                });
            }
            Err(e) => {
                tracing::warn!(error = %e, "failed to accept a connection; trying again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Shared {
    async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        if let Err(e) = stream.set_nodelay(true) {
            tracing::debug!(%peer, error = %e, "a connection ended before it began");
            return;
        }
        match timeout(FIRST_BYTES_TIMEOUT, speaks_rpc(&stream)).await {
            Ok(Ok(true)) => self.rpc.take_stream(stream, peer).await,
            Ok(Ok(false)) => {
                let serving = self.http.serve(stream, peer, self.http_ends.clone());
                self.http_connections.track_future(serving).await;
            }
            Ok(Err(e)) => tracing::debug!(%peer, error = %e, "a connection ended unheard"),
            Err(_) => tracing::debug!(%peer, "a connection said nothing for too long"),
        }
    }
}

/// Looks at the first bytes without taking them.
async fn speaks_rpc(stream: &TcpStream) -> std::io::Result<bool> {
    let mut seen = [0; rpc::PREFACE_MAGIC.len()];
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let same = seen[..count] == rpc::PREFACE_MAGIC[..count];
        if !same || count == seen.len() {
            return Ok(same);
        }
        sleep(FIRST_BYTES_POLL).await;
    }
}

/// Waits for both kinds of calls in flight, for `grace` altogether. Whether all ended.
pub(crate) async fn drain(port: &SharedPort, rpc: &rpc::Running, grace: Duration) -> bool {
    let until = Instant::now() + grace;
    port.close();
    let (rpc_ended, http_ended) =
        tokio::join!(rpc.drain(grace), timeout_at(until, port.drain_http()));
    rpc_ended && http_ended.is_ok()
}
