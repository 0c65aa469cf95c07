//! Which web pages may call, and under which names.
//!
//! A page from anywhere can make a browser send requests to an address that only this browser
//! reaches, and can give that address a name of its own (DNS rebinding). So a request that says
//! from which page it comes is refused unless that page is named in the settings, and so is one
//! for a host that is neither an address nor named there.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST,
    HeaderMap, ORIGIN, VARY,
};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, StatusCode, Version};
use axum::response::{IntoResponse as _, Response};

use crate::config::Config;
use crate::problem::Problem;

/// Who may call from where.
#[derive(Debug)]
pub(crate) struct Origins {
    hosts: Vec<String>,
    allowed: Vec<String>,
}

impl Origins {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            hosts: config.hosts.clone(),
            allowed: config.allowed_origins.clone(),
        }
    }

    /// Whether this request may come from where it says, and to whom.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(&self, request: &Request<Body>) -> Result<(), Problem> {
        self.check_host(request)?;
        let origin = request.headers().get(ORIGIN);
        if origin.is_none_or(|origin| self.allows(origin)) {
            return Ok(());
        }
        let words = "pages from there may not call this gateway";
        let problem = Problem::http(StatusCode::FORBIDDEN, "origin-not-allowed", words);
        Err(problem.with_hint("whoever runs the gateway may name it in `allowed_origins`"))
    }

    fn check_host(&self, request: &Request<Body>) -> Result<(), Problem> {
        let mut hosts = request.headers().get_all(HOST).iter();
        let (first, more) = (hosts.next(), hosts.next());
        let named = first.map(|host| Authority::try_from(host.as_bytes()));
        let host = match (named, more) {
            (Some(Ok(host)), None) => host,
            (None, _) if request.version() < Version::HTTP_11 => return Ok(()),
            _ => {
                let words = "a request names its host once, and as it is spelled in an address";
                return Err(Problem::http(StatusCode::BAD_REQUEST, "bad-host", words));
            }
        };
        let target = request.uri().authority();
        let both = target.into_iter().chain([&host]);
        if both
            .into_iter()
            .all(|authority| self.is_called(authority.host()))
        {
            return Ok(());
        }
        let words = "this gateway is not known under that name";
        let problem = Problem::http(StatusCode::MISDIRECTED_REQUEST, "unknown-host", words);
        Err(problem.with_hint("call it by its address, or name it in the setting `hosts`"))
    }

    fn is_called(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let known = |name: &String| name == "*" || name.eq_ignore_ascii_case(host);
        host.eq_ignore_ascii_case("localhost")
            || bare.parse::<IpAddr>().is_ok()
            || self.hosts.iter().any(known)
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let known = |allowed: &String| allowed == "*" || allowed.as_bytes() == origin.as_bytes();
        self.allowed.iter().any(known)
    }

    /// The answer to a browser that asks before it sends what a page wants to send.
    pub(crate) fn preflight(&self, request: &Request<Body>) -> Option<Response> {
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(ORIGIN)
            && request
                .headers()
                .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let answer = [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type, traceparent, x-timeout-ms",
            ),
            (ACCESS_CONTROL_MAX_AGE, "600"),
        ];
        asks.then(|| (StatusCode::NO_CONTENT, answer).into_response())
    }

    /// Lets an allowed page read the answer. Cookies are never asked for: there are none.
    pub(crate) fn answer(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.allowed.is_empty() {
            return;
        }
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin.filter(|origin| self.allows(origin)) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            let names = HeaderValue::from_static("retry-after, x-request-id");
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(hosts: &[&str], allowed: &[&str]) -> Origins {
        let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Origins {
            hosts: owned(hosts),
            allowed: owned(allowed),
        }
    }

    fn check(origins: &Origins, lines: &[(&str, &str)]) -> u16 {
        let mut request = Request::get("/v1");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        origins
            .check(&request)
            .map_or_else(|problem| problem.status().as_u16(), |()| 200)
    }

    #[test]
    fn a_host_is_an_address_or_named_in_the_settings() {
        let strict = origins(&[], &[]);
        let named = origins(&["api.example"], &[]);
        let any = origins(&["*"], &[]);
        for (host, expected) in [
            ("127.0.0.1:8081", [200, 200, 200]),
            ("[::1]:8081", [200, 200, 200]),
            ("LOCALHOST", [200, 200, 200]),
            ("Api.Example:443", [421, 200, 200]),
            ("evil.example", [421, 421, 200]),
            ("localhost.evil.example", [421, 421, 200]),
            ("127.0.0.1.evil.example", [421, 421, 200]),
            ("a b", [400, 400, 400]),
            ("", [400, 400, 400]),
        ] {
            let seen = [&strict, &named, &any].map(|origins| check(origins, &[("host", host)]));
            assert_eq!(seen, expected, "{host}");
        }
        assert_eq!(check(&any, &[]), 400);
        assert_eq!(check(&any, &[("host", "a"), ("host", "a")]), 400);
    }

    #[test]
    fn a_page_has_to_be_named_whole() {
        let one = origins(&[], &["https://a.example"]);
        for (origin, expected) in [
            ("https://a.example", 200),
            ("http://a.example", 403),
            ("https://a.example:444", 403),
            ("https://a.example.evil.example", 403),
            ("null", 403),
            ("", 403),
        ] {
            let lines = [("host", "localhost"), ("origin", origin)];
            assert_eq!(check(&one, &lines), expected, "{origin}");
            assert_eq!(check(&origins(&[], &[]), &lines), 403, "{origin}");
            assert_eq!(check(&origins(&[], &["*"]), &lines), 200, "{origin}");
        }
    }
}
