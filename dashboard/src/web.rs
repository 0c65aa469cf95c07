//! Which request gets which answer, and what every answer says to the browser.

use std::net::IpAddr;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::sync::watch;

use crate::page;
use crate::view::View;

/// No script, no frame, no foreign origin: what is shown is text that others wrote.
const POLICY: &str = "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

/// Everything that is answered over HTTP, apart from the probes of chassis.
pub(crate) fn router(view: watch::Receiver<View>) -> Router {
    Router::new()
        .route("/", get(fleet))
        .route("/style.css", get(style))
        .layer(from_fn(guard))
        .with_state(view)
}

/// Which part of the instances.
#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    page: usize,
}

async fn fleet(
    State(view): State<watch::Receiver<View>>,
    Query(part): Query<Part>,
) -> Html<String> {
    let view = view.borrow().clone();
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let now_ms = u64::try_from(now_ms).unwrap_or(0);
    Html(page::fleet(&view, part.page, now_ms).into_string())
}

async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], page::STYLE)
}

/// Answers only who came for a loopback host: a foreign page whose name was pointed at 127.0.0.1
/// (DNS rebinding) gets nothing. Says on every answer what the browser may do with it.
async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).map(HeaderValue::to_str);
    let mut response = match host {
        Some(Ok(host)) if is_loopback(host) => next.run(request).await,
        _ => {
            let words = "this page is served to loopback hosts only: http://127.0.0.1:8080\n";
            (StatusCode::MISDIRECTED_REQUEST, words).into_response()
        }
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// Whether `host`, with its port or without, names this machine to itself.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address: Result<IpAddr, _> = name.parse();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_loopback_hosts_are_answered() {
        for (host, answered) in [
            ("127.0.0.1:8080", true),
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("[::1]:8080", true),
            ("127.0.0.1.evil.example", false),
            ("evil.example:8080", false),
            ("localhost.evil.example", false),
            ("10.0.0.7:8080", false),
            ("", false),
            ("[", false),
        ] {
            assert_eq!(is_loopback(host), answered, "{host:?}");
        }
    }
}
