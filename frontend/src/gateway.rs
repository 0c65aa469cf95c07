//! What all requests have in common: the way in, and the way out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CACHE_CONTROL, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use chassis::Failure;
use chassis::trust::Doorman;
use rpc::Error;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::call::call;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::door::Door;
use crate::internal::{schedule, schedule_all};
use crate::listing::{document, service, services};
use crate::origin::Origins;
use crate::places::{Kind, Place};
use crate::problem::Problem;
use crate::request::{RequestId, Visitor, check_head, token_of};
use crate::stats::{Route, Stats, gauge};

/// Everything that requests share.
pub(crate) struct Gateway {
    pub(crate) config: Config,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) doorman: Doorman,
    pub(crate) door: Door,
    pub(crate) origins: Origins,
    pub(crate) stats: Stats,
    pub(crate) ending: watch::Sender<bool>,
    pub(crate) version: &'static str,
}

impl Gateway {
    /// # Errors
    /// A setting that means nothing: which.
    pub(crate) fn new(setup: &chassis::Setup<Config>) -> Result<Self, Failure> {
        let config = setup.settings.clone();
        let door = Door::new(&config);
        Ok(Self {
            catalogue: Arc::new(Catalogue::new(setup.common.discovery)),
            doorman: setup.doorman(),
            door: door.map_err(|why| Failure::new(chassis::Exit::Config, why))?,
            origins: Origins::new(&config),
            stats: Stats::default(),
            ending: watch::Sender::new(false),
            version: env!("CARGO_PKG_VERSION"),
            config,
        })
    }

    /// What may be known of the fleet is known to whoever may describe it.
    pub(crate) fn may_look(&self, visitor: &Visitor) -> Result<(), Error> {
        self.doorman.check(&visitor.token, "describe", false)
    }

    /// In OpenMetrics format.
    pub(crate) fn metrics(&self) -> String {
        let requests = self.door.taken(Kind::Request);
        self.stats.text()
            + &gauge("gateway_requests_in_flight", requests)
            + &gauge("gateway_streams_open", self.door.taken(Kind::Stream))
            + &gauge("gateway_clients", self.door.clients())
    }

    /// Ends what would not end by itself: streams. Before that, whoever asks `/readyz` has time to
    /// send its requests elsewhere.
    pub(crate) async fn end(self: Arc<Self>) {
        sleep(self.config.drain_notice).await;
        self.ending.send_replace(true);
    }
}

pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1", get(services))
        .route("/v1/{service}", get(service))
        .route("/v1/{service}/{procedure}", post(call))
        .route("/api/internal/instances/schedule", post(schedule_all))
        .route("/api/internal/instances/{id}/schedule", post(schedule))
        .route("/openapi.json", get(document))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&gateway), door))
        .with_state(gateway)
}

/// Before and after every request: who comes, whether it may, and what is said of it all.
async fn door(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let visitor = gateway.visitor(&request, peer);
    let route = Route::of(request.uri().path());
    let origin = request.headers().get(ORIGIN).cloned();
    let (method, path) = (request.method().clone(), shown(request.uri().path()));
    let mut response = gateway.answer(request, &visitor, next).await;
    let stream = response.extensions().get::<Route>().copied();
    let (status, took) = (response.status(), begun.elapsed());
    gateway
        .stats
        .answered(stream.unwrap_or(route), status, took);
    tracing::debug!(
        %method, path, status = status.as_u16(), ?took, client = %visitor.client,
        id = visitor.id.trace(), "answered"
    );
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    gateway.origins.answer(origin.as_ref(), headers);
    if let Ok(value) = HeaderValue::from_str(visitor.id.trace()) {
        headers.insert("x-request-id", value);
    }
    response
}

/// As much of a path as is worth a line in a log. What stands after `?` is nobody's business.
fn shown(path: &str) -> String {
    path.chars().take(200).collect()
}

impl Gateway {
    fn visitor(&self, request: &Request, peer: SocketAddr) -> Visitor {
        let headers = request.headers();
        let token = token_of(headers);
        let holder = self.doorman.holder(&token);
        Visitor {
            id: RequestId::of(headers),
            client: self.door.client(headers, peer, holder.as_deref()),
            token,
            holder,
        }
    }

    async fn answer(&self, mut request: Request, visitor: &Visitor, next: Next) -> Response {
        let place = match self.enter(&request, visitor) {
            Ok(place) => place,
            Err(problem) => return problem.response(visitor.id.trace()),
        };
        if let Some(answer) = self.origins.preflight(&request) {
            return answer;
        }
        request.extensions_mut().insert(visitor.clone());
        let response = next.run(request).await;
        drop(place);
        response
    }

    /// The rate comes first: it counts what is malformed too.
    fn enter(&self, request: &Request, visitor: &Visitor) -> Result<Place, Problem> {
        let is_holder = visitor.holder.is_some();
        self.door.admit(&visitor.client, is_holder, &self.stats)?;
        check_head(request.headers())?;
        self.origins.check(request)?;
        self.door.place(&visitor.client, Kind::Request, &self.stats)
    }
}

async fn nothing_here(Extension(visitor): Extension<Visitor>) -> Response {
    let words = "there is nothing at this path";
    let hint = "GET /v1 lists the services; POST /v1/{service}/{procedure} calls one";
    let problem = Problem::http(StatusCode::NOT_FOUND, "no-such-path", words);
    problem.with_hint(hint).response(visitor.id.trace())
}

async fn wrong_method(Extension(visitor): Extension<Visitor>) -> Response {
    let words = "this path has another method";
    let hint = "procedures are called with POST, lists are read with GET";
    let problem = Problem::http(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", words);
    problem.with_hint(hint).response(visitor.id.trace())
}
