//! From an HTTP request to a call and back.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use rpc::{CallOptions, Channel, Code, Codec, Error, Metadata};
use tokio::time::timeout_at;

use crate::catalogue::Procedure;
use crate::gateway::Gateway;
use crate::json::Json;
use crate::places::Kind;
use crate::problem::Problem;
use crate::request::{Visitor, timeout_of};
use crate::{body, events};

/// Calls a procedure, or opens its stream.
pub(crate) async fn call(
    State(gateway): State<Arc<Gateway>>,
    Path((service, procedure)): Path<(String, String)>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let id = visitor.id.clone();
    let named = (service.as_str(), procedure.as_str());
    let called = called(&gateway, named, request, visitor, Ok).await;
    called.unwrap_or_else(|problem| problem.response(id.trace()))
}

/// Calls a procedure of a service with what `arguments` makes of the body.
pub(crate) async fn called(
    gateway: &Arc<Gateway>,
    (service, name): (&str, &str),
    request: Request,
    visitor: Visitor,
    arguments: impl FnOnce(Json) -> Result<Json, Problem>,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let asked = timeout_of(&head.headers, &gateway.config)?;
    let arguments = arguments(body::read(&head.headers, body, &gateway.config).await?)?;
    // What the caller's patience is for begins here: how long it sent is its own affair.
    let until = Instant::now() + asked.unwrap_or(gateway.config.call_timeout);
    let options = CallOptions {
        deadline: Some(until),
        timeout: Some(until.saturating_duration_since(Instant::now())),
        metadata: metadata(&visitor),
        codec: Codec::Json,
        ..CallOptions::default()
    };
    let found = timeout_at(until.into(), gateway.catalogue.procedure(service, name));
    let found = found.await.map_err(|_| late())?;
    let (channel, procedure) = found.map_err(|error| gateway.told(error, &visitor))?;
    if !procedure.stream {
        let Procedure { id, access, .. } = procedure;
        let called = channel.call::<Json, Json>(id, access, &arguments, &options);
        let result = called.await.inspect_err(|error| {
            if error.code == Code::UnknownProcedure {
                gateway.catalogue.doubt(service);
            }
        })?;
        let kind = [(CONTENT_TYPE, "application/json")];
        return Ok((kind, result.into_bytes()).into_response());
    }
    let options = CallOptions {
        // A stream lasts as long as its reader wants, unless a deadline was asked for.
        deadline: asked.and(options.deadline),
        timeout: asked.and(options.timeout),
        ..options
    };
    stream(gateway, &channel, procedure, &arguments, &options, visitor).await
}

async fn stream(
    gateway: &Arc<Gateway>,
    channel: &Channel,
    procedure: Procedure,
    arguments: &Json,
    options: &CallOptions,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let place = gateway
        .door
        .place(&visitor.client, Kind::Stream, &gateway.stats)?;
    let stream = channel.open::<Json, Json>(procedure.id, arguments, options);
    events::response(gateway, stream.await?, place, visitor).await
}

fn metadata(visitor: &Visitor) -> Metadata {
    let mut metadata = Metadata::new();
    // Empty if there is none: the gateway's own must not be put in its place.
    metadata.set(rpc::AUTHORIZATION, visitor.token.clone());
    metadata.set("traceparent", visitor.id.traceparent());
    metadata
}

fn late() -> Problem {
    let words = "the service was not found in time";
    let problem = Problem::http(StatusCode::GATEWAY_TIMEOUT, "deadline", words);
    problem.with_hint("nothing was sent: try again, with a larger X-Timeout-Ms")
}

impl Gateway {
    /// A refusal as this visitor may hear it: names of what there is are for who may ask for them.
    fn told(&self, mut error: Error, visitor: &Visitor) -> Error {
        let names = matches!(
            error.reason.as_ref(),
            "unknown-service" | "unknown-procedure"
        );
        if names && self.may_look(visitor).is_err() {
            error.hint = "GET /v1 lists all, with a token that may `frontend:describe:read`".into();
        }
        error
    }
}
