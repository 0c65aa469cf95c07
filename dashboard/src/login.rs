//! Coming in with a token, and going out.

use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{DOCTYPE, html};
use serde::Deserialize;

use crate::pages::{self, Fields};
use crate::sessions::{COOKIE, LASTS, Refused, Sessions};
use crate::web;

/// Where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct Then {
    #[serde(default)]
    then: String,
}

/// What is sent to come in.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    #[serde(default)]
    token: String,
    #[serde(default)]
    then: String,
}

/// The way to the page of logging in, and from there to where somebody wanted to go.
pub(crate) fn then(wanted: &Uri) -> String {
    let wanted = wanted.path_and_query().map_or("/", |path| path.as_str());
    let spelled: String = wanted
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("/login?then={spelled}")
}

/// Only a path of ours: another page's address would take whoever has just logged in elsewhere.
fn own_path(wanted: &str) -> &str {
    let rest = wanted.strip_prefix('/');
    let own = rest.is_some_and(|rest| !rest.starts_with(['/', '\\']));
    let plain = !wanted.contains(|c: char| c.is_control() || !c.is_ascii());
    if own && plain { wanted } else { "/" }
}

/// Asks for a token.
pub(crate) async fn form(
    State(sessions): State<Arc<Sessions>>,
    Query(Then { then }): Query<Then>,
    headers: HeaderMap,
) -> Response {
    if sessions.find(web::cookie(&headers)).is_some() {
        return Redirect::to(own_path(&then)).into_response();
    }
    page(&then, None).into_response()
}

/// Lets the holder of a token in.
pub(crate) async fn log_in(
    State(sessions): State<Arc<Sessions>>,
    Form(Credentials { token, then }): Form<Credentials>,
) -> Response {
    if !sessions.asks_for_tokens() {
        return Redirect::to(own_path(&then)).into_response();
    }
    match sessions.log_in(&token) {
        Ok(id) => {
            let seconds = LASTS.as_secs();
            let cookie =
                format!("{COOKIE}={id}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}");
            ([(SET_COOKIE, cookie)], Redirect::to(own_path(&then))).into_response()
        }
        Err(Refused::Token) => {
            let words = "nobody knows this token, or it is revoked or expired";
            (StatusCode::FORBIDDEN, page(&then, Some(words))).into_response()
        }
        Err(Refused::TooMany(wait)) => {
            let seconds = (wait.as_secs() + 1).to_string();
            let words = "too many attempts; wait a few seconds";
            let status = StatusCode::TOO_MANY_REQUESTS;
            (status, [(RETRY_AFTER, seconds)], page(&then, Some(words))).into_response()
        }
    }
}

/// Ends the session.
pub(crate) async fn log_out(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
    _: Fields,
) -> Response {
    sessions.log_out(web::cookie(&headers));
    let gone = format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    ([(SET_COOKIE, gone)], Redirect::to("/login")).into_response()
}

fn page(then: &str, wrong: Option<&str>) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (pages::head("Log in"))
            body.login {
                main {
                    h1 { "Orrery" }
                    @if let Some(words) = wrong { p.banner role="alert" { strong { (words) } } }
                    form method="post" action="/login" {
                        input type="hidden" name="then" value=(then);
                        label for="token" { "Token of an operator" }
                        input #token type="password" name="token" required autofocus
                            autocomplete="off" spellcheck="false";
                        button { "Log in" }
                    }
                    p.dim {
                        "On the machine of the fleet: " code { "cat .orrery/operator.token" }
                        ". For somebody else: " code { "orrery token create NAME --role viewer" }
                        "."
                    }
                }
            }
        }
    };
    Html(page.into_string())
}

#[cfg(test)]
mod tests {
    use super::{own_path, then};

    #[test]
    fn one_comes_back_to_where_one_wanted_to_go_and_nowhere_else() {
        for (wanted, goes) in [
            ("/services/echo?q=1", "/services/echo?q=1"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/a\r\nb", "/"),
        ] {
            assert_eq!(own_path(wanted), goes, "{wanted:?}");
        }
        let wanted = "/instances?q=a&page=2".parse().unwrap();
        assert_eq!(then(&wanted), "/login?then=/instances%3Fq%3Da%26page%3D2");
    }
}
