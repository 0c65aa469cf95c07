//! `/federate`: the newest value of every series, for a Prometheus.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::engine::{Engine, now_ms};

/// Older values are stale: nobody says them any more.
const STALE_MS: u64 = 60_000;

pub(crate) fn router(engine: Arc<Engine>) -> Router {
    Router::new()
        .route("/federate", get(federate))
        .with_state(engine)
}

async fn federate(State(engine): State<Arc<Engine>>) -> Response {
    let fresh = now_ms().saturating_sub(STALE_MS);
    let base = engine.base.read();
    let (mut text, mut last) = (String::new(), "");
    for (name, labels, series) in base.all() {
        let known = series
            .newest_ms()
            .filter(|at| *at >= fresh)
            .zip(series.last());
        let Some((at_ms, value)) = known else {
            continue;
        };
        // Writing to a String cannot fail.
        if name != last {
            let _ = writeln!(text, "# TYPE {name} untyped");
            last = name;
        }
        let labels = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
        let labels = labels.collect::<Vec<_>>().join(",");
        let _ = writeln!(text, "{name}{{{labels}}} {value} {at_ms}");
    }
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response()
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
