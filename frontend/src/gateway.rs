//! From an HTTP request to a call and back.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use chassis::trust::Doorman;
use parking_lot::Mutex;
use rpc::{Access, CallOptions, Codec, Metadata, ProcedureDescription, Streaming};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::door::Door;
use crate::openapi;
use crate::problem::Problem;
use crate::request::{RequestId, timeout_of};
use crate::stats::Stats;

/// How often a stream that has nothing to say shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Everything that requests share.
pub(crate) struct Gateway {
    pub(crate) config: Config,
    pub(crate) catalogue: Catalogue,
    pub(crate) doorman: Doorman,
    pub(crate) door: Mutex<Door>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) stats: Stats,
    pub(crate) version: &'static str,
}

type Shared = State<Arc<Gateway>>;
type Id = Extension<RequestId>;

pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1", get(services))
        .route("/v1/{service}", get(service))
        .route("/v1/{service}/{procedure}", post(call))
        .route("/openapi.json", get(document))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&gateway), door))
        .with_state(gateway)
}

/// Before and after every request: who is too fast, what is malformed, and what is said of it all.
async fn door(
    State(gateway): Shared,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let id = RequestId::of(request.headers());
    let admitted = gateway.admit(request.headers(), peer);
    let mut response = match admitted {
        Ok(place) => {
            request.extensions_mut().insert(id.clone());
            let response = next.run(request).await;
            drop(place);
            response
        }
        Err(problem) => problem.response(id.trace()),
    };
    let took = begun.elapsed();
    gateway.stats.answered(response.status(), took);
    tracing::debug!(%peer, status = response.status().as_u16(), ?took, id = id.trace(), "answered");
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(id.trace()) {
        headers.insert("x-request-id", value);
    }
    response
}

impl Gateway {
    fn admit(
        &self,
        headers: &HeaderMap,
        peer: SocketAddr,
    ) -> Result<OwnedSemaphorePermit, Problem> {
        crate::request::check_head(headers)?;
        let holder = self.doorman.holder(&token_of(headers));
        let now = crate::request::now_ms();
        let admitted = self
            .door
            .lock()
            .admit(headers, peer, holder.as_deref(), now);
        admitted.inspect_err(|_| self.stats.limited())?;
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let words = "as many requests are answered as may be at a time";
            Problem::http(StatusCode::SERVICE_UNAVAILABLE, "busy", words)
                .with_hint("try again in a moment")
                .after_ms(1_000)
        })
    }

    /// What may be known of the fleet is known to whoever may describe it.
    fn may_look(&self, headers: &HeaderMap) -> Result<(), Problem> {
        Ok(self.doorman.check(&token_of(headers), "describe", false)?)
    }
}

/// What a request shows; nothing if it shows nothing.
fn token_of(headers: &HeaderMap) -> Bytes {
    let value = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let scheme = value.and_then(|value| Some((value.get(..7)?, value.get(7..)?)));
    let token = scheme.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    token.map_or_else(Bytes::new, |(_, token)| {
        Bytes::copy_from_slice(token.trim_ascii())
    })
}

async fn services(State(gateway): Shared, Extension(id): Id, headers: HeaderMap) -> Response {
    let answer = async {
        gateway.may_look(&headers)?;
        let names = gateway.catalogue.names().await?;
        Ok::<_, Problem>(json!({ "services": names }))
    };
    answered(answer.await, &id)
}

async fn service(
    State(gateway): Shared,
    Path(name): Path<String>,
    Extension(id): Id,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        gateway.may_look(&headers)?;
        let description = gateway.catalogue.service(&name).await?;
        let procedures = description.procedures.iter().map(|procedure| {
            let schema = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
            json!({
                "id": procedure.id,
                "name": procedure.name,
                "about": procedure.about,
                "access": procedure.access,
                "stream": procedure.stream,
                "arguments": schema(&procedure.arguments),
                "result": schema(&procedure.result),
            })
        });
        Ok::<_, Problem>(json!({
            "name": description.name,
            "version": description.version,
            "procedures": procedures.collect::<Vec<_>>(),
        }))
    };
    answered(answer.await, &id)
}

async fn document(State(gateway): Shared, Extension(id): Id, headers: HeaderMap) -> Response {
    let answer = async {
        gateway.may_look(&headers)?;
        let mut services = Vec::new();
        for name in gateway.catalogue.names().await? {
            // One that cannot be asked now is left out: the others can be called.
            if let Ok(description) = gateway.catalogue.service(&name).await {
                services.push(description);
            }
        }
        Ok::<_, Problem>(openapi::document(&services, gateway.version))
    };
    answered(answer.await, &id)
}

fn answered(answer: Result<Value, Problem>, id: &RequestId) -> Response {
    match answer {
        Ok(value) => ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response(),
        Err(problem) => problem.response(id.trace()),
    }
}

async fn call(
    State(gateway): Shared,
    Path((service, procedure)): Path<(String, String)>,
    request: Request,
) -> Response {
    let id = RequestId::in_(&request);
    match called(&gateway, &service, &procedure, request, &id).await {
        Ok(response) => response,
        Err(problem) => problem.response(id.trace()),
    }
}

async fn called(
    gateway: &Gateway,
    service: &str,
    procedure: &str,
    request: Request,
    id: &RequestId,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let wait = timeout_of(&head.headers, &gateway.config)?;
    let mut metadata = Metadata::new();
    // Empty if there is none: the gateway's own must not be put in its place.
    metadata.set(rpc::AUTHORIZATION, token_of(&head.headers));
    metadata.set("traceparent", id.traceparent());
    let arguments = read(gateway, &head.headers, body).await?;
    let (channel, described) = gateway.catalogue.procedure(service, procedure).await?;
    let mut options = CallOptions {
        metadata,
        codec: Codec::Json,
        ..CallOptions::default()
    };
    if described.stream {
        let place = Arc::clone(&gateway.streams)
            .try_acquire_owned()
            .map_err(|_| {
                let words = "as many streams are open as may be at a time";
                Problem::http(StatusCode::SERVICE_UNAVAILABLE, "busy", words)
                    .with_hint("end one of yours, or try again")
                    .after_ms(1_000)
            })?;
        let stream = channel.open::<Value, Value>(described.id, &arguments, &options);
        return events(stream.await?, place, id.clone()).await;
    }
    options.timeout = Some(wait);
    let access = access(&described);
    let result: Value = channel
        .call(described.id, access, &arguments, &options)
        .await?;
    Ok(answered(Ok(result), id))
}

async fn read(gateway: &Gateway, headers: &HeaderMap, body: Body) -> Result<Value, Problem> {
    let most = gateway.config.body_bytes_max;
    let read = timeout(gateway.config.body_timeout, to_bytes(body, most)).await;
    let bytes = read.map_err(|_| {
        Problem::http(
            StatusCode::REQUEST_TIMEOUT,
            "slow-body",
            "the body did not come in time",
        )
        .with_hint("send it in one go")
    })?;
    let bytes = bytes.map_err(|_| {
        let words = format!("the body is broken, or longer than {most} bytes");
        Problem::http(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", &words)
            .with_hint("large values belong into storage, in parts")
    })?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    // What `curl -d` says without being asked is what people who test by hand send.
    let known = ["application/json", "application/x-www-form-urlencoded"];
    if kind.is_none_or(|kind| !known.contains(&kind.to_ascii_lowercase().as_str())) {
        let words = "the body has to be application/json";
        return Err(
            Problem::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", words)
                .with_hint("say `Content-Type: application/json`"),
        );
    }
    serde_json::from_slice(&bytes).map_err(|e| {
        let words = format!("the body is no JSON: {e}");
        Problem::http(StatusCode::BAD_REQUEST, "bad-json", &words)
            .with_hint("GET /v1/{service} shows the arguments of each procedure")
    })
}

/// What a call may do. A word from a newer server is taken for the most careful one.
fn access(procedure: &ProcedureDescription) -> Access {
    [Access::Read, Access::Idempotent]
        .into_iter()
        .find(|access| access.as_str() == procedure.access)
        .unwrap_or(Access::Write)
}

/// A stream as Server-Sent Events. A refusal, which comes before the first item, is a problem of
/// the whole request; what goes wrong later is an event. Who leaves, ends the stream.
async fn events(
    mut stream: Streaming<Value>,
    place: OwnedSemaphorePermit,
    id: RequestId,
) -> Result<Response, Problem> {
    // A stream that has nothing to say for a moment is under way.
    let first = match timeout(Duration::from_millis(200), stream.next()).await {
        Ok(Some(Err(error))) => return Err(error.into()),
        Ok(first) => Some(first),
        Err(_) => None,
    };
    let state = (Some(stream), first, place, id);
    let events = futures_util::stream::unfold(state, |(stream, first, place, id)| async move {
        let mut stream = stream?;
        let next = match first {
            Some(first) => first,
            None => stream.next().await,
        };
        let (event, stream) = match next {
            Some(Ok(item)) => (Event::default().data(item.to_string()), Some(stream)),
            Some(Err(error)) => {
                let problem = Problem::from(error).json(id.trace()).to_string();
                (Event::default().event("error").data(problem), None)
            }
            None => (Event::default().event("end").data("{}"), None),
        };
        Some((Ok::<_, Infallible>(event), (stream, None, place, id)))
    });
    let alive = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(events).keep_alive(alive).into_response())
}

async fn nothing_here(request: Request) -> Response {
    let words = "there is nothing at this path";
    let hint = "GET /v1 lists the services; POST /v1/{service}/{procedure} calls one";
    let problem = Problem::http(StatusCode::NOT_FOUND, "no-such-path", words).with_hint(hint);
    problem.response(RequestId::in_(&request).trace())
}

async fn wrong_method(request: Request) -> Response {
    let words = "this path has another method";
    let hint = "procedures are called with POST, lists are read with GET";
    let problem = Problem::http(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", words);
    problem
        .with_hint(hint)
        .response(RequestId::in_(&request).trace())
}
