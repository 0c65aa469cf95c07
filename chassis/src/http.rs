//! HTTP on the service's own port: probes for whoever has only `curl`, and a service's own pages.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rpc::HealthState;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long a client may take to send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a client may leave an answer unread.
const STALL_MAX: Duration = Duration::from_secs(30);
/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 64 << 10;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, BoxError>;

/// What answers HTTP requests.
#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) rpc: Arc<rpc::Running>,
    pub(crate) health: watch::Receiver<HealthState>,
    pub(crate) pages: Pages,
}

/// What a service answers itself.
#[derive(Clone, Default)]
pub(crate) struct Pages {
    #[cfg(feature = "http")]
    pub(crate) router: Option<axum::Router>,
}

impl Http {
    /// Serves one connection until it ends, or its request in flight does once `ends` is cancelled.
    pub(crate) async fn serve(&self, stream: TcpStream, peer: SocketAddr, ends: CancellationToken) {
        // Whoever takes nothing for so long is gone, whatever its kernel still acknowledges.
        let stall = u32::try_from(STALL_MAX.as_millis()).unwrap_or(u32::MAX);
        if let Err(e) = rustix::net::sockopt::set_tcp_user_timeout(&stream, stall) {
            tracing::debug!(%peer, error = %e, "a connection without a bound on its stalls");
        }
        let service =
            service_fn(|request| async { Ok::<_, Infallible>(self.answer(request, peer).await) });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = ends.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(e) = ended {
            tracing::debug!(%peer, error = %e, "an HTTP connection ended early");
        }
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/livez" if reads => text(StatusCode::OK, "ok\n".into()),
            "/readyz" if reads => self.ready(),
            "/metrics" if reads => metrics(self.rpc.metrics_text()),
            _ => self.pages.answer(request, peer).await,
        }
    }

    fn ready(&self) -> Response<Body> {
        let state = *self.health.borrow();
        let (status, word) = match state {
            HealthState::Serving => (StatusCode::OK, "ok\n"),
            HealthState::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            HealthState::Failing => (StatusCode::SERVICE_UNAVAILABLE, "failing\n"),
            HealthState::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        };
        text(status, word.into())
    }
}

impl Pages {
    #[cfg(feature = "http")]
    async fn answer(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        use hyper::service::Service as _;

        let Some(router) = &self.router else {
            return nothing_here();
        };
        request
            .extensions_mut()
            .insert(axum::extract::ConnectInfo(peer));
        let router = hyper_util::service::TowerToHyperService::new(router.clone());
        match router.call(request).await {
            Ok(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
            Err(never) => match never {},
        }
    }

    #[cfg(not(feature = "http"))]
    async fn answer(&self, _: Request<Incoming>, _: SocketAddr) -> Response<Body> {
        nothing_here()
    }
}

fn nothing_here() -> Response<Body> {
    let words =
        "this port speaks orrery's procedures; over HTTP it has /livez, /readyz, /metrics\n";
    text(StatusCode::NOT_FOUND, words.into())
}

fn metrics(words: String) -> Response<Body> {
    let mut response = text(StatusCode::OK, words);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    set_content_type(&mut response, kind);
    response
}

fn text(status: StatusCode, words: String) -> Response<Body> {
    let body = Full::from(words)
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    set_content_type(&mut response, "text/plain; charset=utf-8");
    response
}

fn set_content_type(response: &mut Response<Body>, kind: &'static str) {
    let value = hyper::header::HeaderValue::from_static(kind);
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, value);
}
