//! Errors over HTTP: RFC 9457.

use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rpc::{Code, Error, Retry};
use serde_json::{Value, json};

/// An error on its way to an HTTP client.
#[derive(Debug)]
pub(crate) struct Problem {
    error: Error,
    status: StatusCode,
    retry_after_ms: Option<u64>,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = status_of(error.code);
        Self {
            error,
            status,
            retry_after_ms: None,
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

    /// As JSON; `request` is the request's id.
    pub(crate) fn json(&self, request: &str) -> Value {
        let Error {
            code,
            reason,
            message,
            hint,
            retry,
        } = &self.error;
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
        problem
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
        if let Some(ms) = self.retry_after_ms {
            set(RETRY_AFTER, &ms.div_ceil(1_000).max(1).to_string());
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
        }
    }
}
