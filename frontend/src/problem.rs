//! Errors over HTTP: RFC 9457.

use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rpc::{Code, Error, Retry};
use serde_json::{Value, json};

/// An error on its way to an HTTP client.
#[derive(Debug)]
pub(crate) struct Problem {
    error: Box<Error>,
    status: StatusCode,
    retry_after_ms: Option<u64>,
    place: Option<(usize, usize)>,
}

/// When to come back if a service says that it is away or full, and nothing closer.
const COME_BACK_MS: u64 = 1_000;

impl From<Error> for Problem {
    fn from(mut error: Error) -> Self {
        if error.reason == "no-token" {
            // A service speaks to whoever has the command line.
            error.hint = "send `Authorization: Bearer TOKEN`; `security/create_token` makes \
                          tokens, and whoever runs the fleet has the first one"
                .to_owned();
        }
        let status = status_of(error.code);
        let busy = matches!(error.code, Code::Unavailable | Code::ResourceExhausted);
        Self {
            error: Box::new(error),
            status,
            retry_after_ms: busy.then_some(COME_BACK_MS),
            place: None,
        }
    }
}

impl Problem {
    /// One that only HTTP knows.
    pub(crate) fn http(status: StatusCode, reason: &'static str, message: &str) -> Self {
        let error = Error::new(Code::InvalidArgument, reason, message);
        Self {
            status,
            ..Self::from(error)
        }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.error.hint = hint.into();
        self
    }

    pub(crate) fn after_ms(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// Says where in the body it is.
    pub(crate) fn at(mut self, line: usize, column: usize) -> Self {
        self.place = Some((line, column));
        self
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// As JSON; `request` is the request's id.
    pub(crate) fn json(&self, request: &str) -> Value {
        let Error {
            code,
            reason,
            message,
            hint,
            retry,
        } = &*self.error;
        let title = self.status.canonical_reason().unwrap_or(code.as_str());
        let mut problem = json!({
            "type": format!("urn:orrery:problem:{reason}"),
            "title": title,
            "status": self.status.as_u16(),
            "detail": message,
            "instance": format!("urn:orrery:request:{request}"),
            "reason": reason,
        });
        if !hint.is_empty() {
            problem["hint"] = json!(hint);
        }
        if *retry != Retry::Never || self.retry_after_ms.is_some() {
            problem["retry"] = json!(true);
        }
        if let Some(seconds) = self.retry_after() {
            problem["retry_after"] = json!(seconds);
        }
        if let Some((line, column)) = self.place {
            problem["line"] = json!(line);
            problem["column"] = json!(column);
        }
        problem
    }

    /// In seconds, as the header has it.
    fn retry_after(&self) -> Option<u64> {
        self.retry_after_ms.map(|ms| ms.div_ceil(1_000).max(1))
    }

    pub(crate) fn response(&self, request: &str) -> Response {
        let body = self.json(request).to_string();
        let mut response = (self.status, body).into_response();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(CONTENT_TYPE, "application/problem+json");
        if self.status == StatusCode::UNAUTHORIZED {
            set(WWW_AUTHENTICATE, "Bearer realm=\"orrery\"");
        }
        if let Some(seconds) = self.retry_after() {
            set(RETRY_AFTER, &seconds.to_string());
        }
        response
    }
}

/// The status that says the same as an error's class.
fn status_of(code: Code) -> StatusCode {
    match code {
        Code::BadPayload | Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound | Code::UnknownProcedure => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Conflict => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Protocol => StatusCode::BAD_GATEWAY,
        Code::Unavailable | Code::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_errors_has_a_status() {
        let table = [
            (Code::Cancelled, 503),
            (Code::DeadlineExceeded, 504),
            (Code::Unavailable, 503),
            (Code::ResourceExhausted, 429),
            (Code::UnknownProcedure, 404),
            (Code::BadPayload, 400),
            (Code::TooLarge, 413),
            (Code::Protocol, 502),
            (Code::InvalidArgument, 400),
            (Code::NotFound, 404),
            (Code::AlreadyExists, 409),
            (Code::Conflict, 409),
            (Code::Unauthenticated, 401),
            (Code::PermissionDenied, 403),
            (Code::Internal, 500),
        ];
        for (code, status) in table {
            let problem = Problem::from(Error::new(code, "why", "what"));
            assert_eq!(problem.status.as_u16(), status, "{code}");
            let json = problem.json("r1");
            assert_eq!(json["type"], "urn:orrery:problem:why");
            assert_eq!(json["status"], status);
            assert_eq!(json["instance"], "urn:orrery:request:r1");
            assert!(
                json["title"]
                    .as_str()
                    .is_some_and(|title| !title.is_empty())
            );
            assert_eq!(
                json["retry_after"].is_u64(),
                matches!(status, 429 | 503) && code != Code::Cancelled
            );
        }
    }

    #[test]
    fn the_response_says_the_same_as_its_body() {
        let banned = Problem::http(StatusCode::TOO_MANY_REQUESTS, "banned", "no").after_ms(1_001);
        let response = banned.response("r1");
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(banned.json("r1")["retry_after"], 2);
        let stranger = Problem::from(Error::new(Code::Unauthenticated, "no-token", "who"));
        assert!(
            stranger
                .response("r1")
                .headers()
                .contains_key(WWW_AUTHENTICATE)
        );
        let place = Problem::http(StatusCode::BAD_REQUEST, "bad-json", "no").at(2, 7);
        assert_eq!(place.json("r1")["line"], 2);
        assert_eq!(place.json("r1")["column"], 7);
    }
}
