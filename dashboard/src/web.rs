//! Which request gets which answer, and what every answer says to the browser.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, HeaderName, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};

use crate::pages::{self, Problem};
use crate::sessions::{self, Session, Sessions};
use crate::{actions, live, login};

/// Nothing from elsewhere, nothing inline, no frame: what is shown is text that others wrote.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
];

/// The most bytes of a form.
const FORM_BYTES_MAX: usize = 16 << 10;

/// Everything that is answered over HTTP, apart from the probes of chassis.
pub(crate) fn router(sessions: Arc<Sessions>) -> Router {
    let guarded = Router::new()
        .route("/", get(pages::fleet::show))
        .route("/instances", get(pages::instances::show))
        .route("/instances/{id}", get(pages::instance::show))
        .route("/instances/{id}/{action}", post(actions::instance))
        .route("/services/{name}", get(pages::service::show))
        .route("/services/{name}/{action}", post(actions::service))
        .route("/nodes", get(pages::nodes::show))
        .route("/nodes/{name}/{duty}", post(actions::node))
        .route("/pending", get(pages::pending::show))
        .route("/events", get(pages::events::show))
        .route("/releases", get(pages::releases::show))
        .route("/releases/{id}", get(pages::release::show))
        .route("/releases/{id}/{action}", post(actions::release))
        .route(
            "/tokens",
            get(pages::tokens::show).post(actions::make_token),
        )
        .route("/tokens/{id}/revoke", post(actions::revoke_token))
        .route(
            "/configuration",
            get(pages::configuration::show).post(actions::set_value),
        )
        .route(
            "/configuration/{service}/{name}",
            get(pages::configuration::history),
        )
        .route(
            "/configuration/{service}/{name}/rollback/{to}",
            post(actions::roll_back_value),
        )
        .route("/audit", get(pages::audit::show))
        .route("/passes", get(pages::passes::show))
        .route("/pipelines", get(pages::pipelines::show))
        .route("/pipelines/{name}", get(pages::pipelines::one))
        .route("/pipelines/{name}/{action}", post(actions::pipeline))
        .route("/names", get(pages::names))
        .route("/live", get(live::live))
        .route("/logout", post(login::log_out))
        .fallback(nothing_here)
        .layer(from_fn_with_state(Arc::clone(&sessions), with_session));
    Router::new()
        .route("/login", get(login::form).post(login::log_in))
        .route("/style.css", get(style))
        .route("/page.js", get(script))
        .merge(guarded)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(axum::middleware::from_fn(guard))
        .with_state(sessions)
}

async fn style() -> impl IntoResponse {
    let kind = [(CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("style.css"))
}

async fn script() -> impl IntoResponse {
    let kind = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("page.js"))
}

async fn nothing_here(Extension(session): Extension<Arc<Session>>) -> Response {
    let problem = Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path");
    problem
        .hint("the views are in the line above")
        .response(&session)
}

/// Answers only who came for a loopback host: a foreign page whose name was pointed at 127.0.0.1
/// (DNS rebinding) gets nothing. What changes something has to come from a page of ours. Says on
/// every answer what the browser may do with it.
async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).map(HeaderValue::to_str);
    let mut response = match host {
        Some(Ok(host)) if !is_loopback(host) => misdirected(),
        Some(Ok(host)) if reads(request.method()) || is_own(request.headers(), host) => {
            next.run(request).await
        }
        Some(Ok(_)) => {
            let words = "this came from a page of somebody else, and nothing was done\n";
            (StatusCode::FORBIDDEN, words).into_response()
        }
        _ => misdirected(),
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

fn misdirected() -> Response {
    let words = "this page is served to loopback hosts only: http://127.0.0.1:8080\n";
    (StatusCode::MISDIRECTED_REQUEST, words).into_response()
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether a request comes from a page of ours, or from no page. Browsers say where from; the
/// secret in each form decides about the rest.
fn is_own(headers: &HeaderMap, host: &str) -> bool {
    let said = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let site_is_own = said("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let own = format!("http://{host}");
    site_is_own && said(ORIGIN.as_str()).is_none_or(|origin| origin.eq_ignore_ascii_case(&own))
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

/// Lets only those through who have logged in, and shows all others where that is done.
async fn with_session(
    State(sessions): State<Arc<Sessions>>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    if let Some(session) = sessions.find(cookie(headers)) {
        request.extensions_mut().insert(session);
        return next.run(request).await;
    }
    let is_page = request.method() == Method::GET
        && !headers.contains_key(pages::FRAGMENT)
        && request.uri().path() != "/live"
        && request.uri().path() != "/names";
    if is_page {
        return Redirect::to(&login::then(request.uri())).into_response();
    }
    let words = "log in first, with the token of an operator, at /login\n";
    (StatusCode::UNAUTHORIZED, words).into_response()
}

/// What the browser says its session is.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).into_iter();
    let pairs = all.filter_map(|line| line.to_str().ok());
    let mut pairs = pairs.flat_map(|line| line.split(';')).map(str::trim);
    pairs.find_map(|pair| pair.strip_prefix(sessions::COOKIE)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{cookie, is_loopback, is_own};

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

    #[test]
    fn only_pages_of_ours_change_something() {
        let host = "127.0.0.1:8080";
        for (origin, site, own) in [
            (None, None, true),
            (Some("http://127.0.0.1:8080"), Some("same-origin"), true),
            (Some("http://127.0.0.1:8080"), None, true),
            (Some("http://127.0.0.1:9000"), None, false),
            (Some("https://127.0.0.1:8080"), None, false),
            (Some("http://evil.example"), Some("cross-site"), false),
            (Some("null"), None, false),
            (None, Some("same-site"), false),
            (None, Some("none"), false),
        ] {
            let mut headers = HeaderMap::new();
            let mut say = |name: &'static str, value: Option<&'static str>| {
                value.map(|value| headers.insert(name, HeaderValue::from_static(value)))
            };
            say("origin", origin);
            say("sec-fetch-site", site);
            assert_eq!(is_own(&headers, host), own, "{origin:?} {site:?}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others_and_whole() {
        for (line, found) in [
            ("orrery_session=abc", Some("abc")),
            ("a=b; orrery_session=abc; c=d", Some("abc")),
            ("orrery_session2=abc", None),
            ("xorrery_session=abc", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("cookie", HeaderValue::from_static(line));
            assert_eq!(cookie(&headers), found, "{line:?}");
        }
    }
}
