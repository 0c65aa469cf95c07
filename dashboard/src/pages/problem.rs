//! What went wrong, as a page.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, html};
use rpc::Code;

use super::head;
use crate::sessions::Session;

/// Why something is not shown, or was not done.
pub(crate) struct Problem {
    status: StatusCode,
    what: String,
    hint: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, what: &str) -> Self {
        Self {
            status,
            what: what.to_owned(),
            hint: String::new(),
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: &str) -> Self {
        hint.clone_into(&mut self.hint);
        self
    }

    pub(crate) fn response(&self, session: &Session) -> Response {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                (head("Not done"))
                body {
                    header { strong { "Orrery" } nav { a href="/" { "Fleet" } } }
                    main {
                        p.banner role="alert" { strong { (self.what) } (self.hint) }
                        p.dim { "You are " (session.name) "." }
                    }
                }
            }
        };
        (self.status, Html(page.into_string())).into_response()
    }
}

impl From<rpc::Error> for Problem {
    fn from(error: rpc::Error) -> Self {
        let status = match error.code {
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::PermissionDenied => StatusCode::FORBIDDEN,
            Code::InvalidArgument => StatusCode::UNPROCESSABLE_ENTITY,
            Code::Conflict => StatusCode::CONFLICT,
            Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self {
            status,
            what: error.message,
            hint: error.hint,
        }
    }
}
