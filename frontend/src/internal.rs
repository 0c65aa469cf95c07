//! Paths with a name of their own: where instances run, as placers of other makers write it back.
//!
//! `POST /api/internal/instances/{id}/schedule` with `{"generation": 3, "node": "n1"}` is
//! `scheduling place` of one decision; `POST /api/internal/instances/schedule` is the same of many.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::call::called;
use crate::gateway::Gateway;
use crate::json::Json;
use crate::problem::Problem;
use crate::request::Visitor;

/// A decision about the instance that the path names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Schedule {
    generation: u64,
    #[serde(default)]
    node: Option<String>,
    #[serde(default)]
    why: String,
}

/// One decision.
pub(crate) async fn schedule(
    State(gateway): State<Arc<Gateway>>,
    Path(instance): Path<String>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let id = visitor.id.clone();
    let one = |json| about(&instance, json);
    let done = called(&gateway, ("scheduling", "place"), request, visitor, one).await;
    done.unwrap_or_else(|problem| problem.response(id.trace()))
}

/// Many decisions.
pub(crate) async fn schedule_all(
    State(gateway): State<Arc<Gateway>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let id = visitor.id.clone();
    let done = called(&gateway, ("scheduling", "place"), request, visitor, Ok).await;
    done.unwrap_or_else(|problem| problem.response(id.trace()))
}

fn about(instance: &str, body: Json) -> Result<Json, Problem> {
    let bad = |error: &serde_json::Error| {
        let problem = Problem::http(StatusCode::BAD_REQUEST, "bad-json", &error.to_string());
        problem.with_hint("send {\"generation\": 3, \"node\": \"n1\", \"why\": \"...\"}")
    };
    let given: Schedule = serde_json::from_slice(&body.into_bytes()).map_err(|e| bad(&e))?;
    let decision = json!({ "instance": instance, "node": given.node, "why": given.why });
    let all = json!({ "generation": given.generation, "decisions": [decision] });
    Json::parse(all.to_string().into()).map_err(|e| bad(&e))
}
