//! What there is: services, their procedures, and all of that as one document.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::join_all;
use rpc::{Description, ProcedureDescription};
use serde_json::{Value, json};

use crate::catalogue::Names;
use crate::gateway::Gateway;
use crate::openapi;
use crate::problem::Problem;
use crate::request::Visitor;

type Shared = State<Arc<Gateway>>;

/// The services there are.
pub(crate) async fn services(
    State(gateway): Shared,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let answer = async {
        gateway.may_look(&visitor)?;
        let Names { names, age, .. } = gateway.catalogue.names().await?;
        let mut answer = json!({ "services": names });
        if let Some(age) = age {
            // Said only where it matters: discovery is away, and this is what it said last.
            answer["age_ms"] = json!(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        }
        Ok(answer)
    };
    answered(answer.await, &visitor)
}

/// What one service can do.
pub(crate) async fn service(
    State(gateway): Shared,
    Path(name): Path<String>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let answer = async {
        gateway.may_look(&visitor)?;
        Ok(described(&name, &*gateway.catalogue.service(&name).await?))
    };
    answered(answer.await, &visitor)
}

fn described(name: &str, description: &Description) -> Value {
    let procedures: Vec<Value> = description.procedures.iter().map(procedure).collect();
    json!({
        "name": name,
        "version": description.version,
        "procedures": procedures,
    })
}

fn procedure(procedure: &ProcedureDescription) -> Value {
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
}

/// Everything as OpenAPI.
pub(crate) async fn document(
    State(gateway): Shared,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let answer = async {
        gateway.may_look(&visitor)?;
        let names = gateway.catalogue.names().await?.names;
        let asked = names.iter().map(|name| gateway.catalogue.service(name));
        let asked = join_all(asked).await.into_iter();
        // One that cannot be asked now is left out: the others can be called.
        let services = names
            .iter()
            .zip(asked)
            .filter_map(|(n, d)| Some((n.as_str(), d.ok()?)));
        let services: Vec<_> = services.collect();
        Ok(openapi::document(&services, gateway.version))
    };
    answered(answer.await, &visitor)
}

fn answered(answer: Result<Value, Problem>, visitor: &Visitor) -> Response {
    match answer {
        Ok(value) => ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response(),
        Err(problem) => problem.response(visitor.id.trace()),
    }
}
