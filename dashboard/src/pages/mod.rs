//! The views, one file each. Everything that is shown goes through maud, which escapes it.
//!
//! A view is a [`Page`]: its title, the command that shows the same in a terminal, the same as
//! JSON, and what stands in the middle. `?format=json` gives the JSON, and a request with
//! [`FRAGMENT`] the middle alone, for a page that is open already.

pub(crate) mod audit;
pub(crate) mod configuration;
pub(crate) mod events;
pub(crate) mod fleet;
pub(crate) mod instance;
pub(crate) mod instances;
pub(crate) mod nodes;
pub(crate) mod passes;
pub(crate) mod pending;
pub(crate) mod pipelines;
mod placement;
mod problem;
pub(crate) mod release;
pub(crate) mod releases;
pub(crate) mod service;
pub(crate) mod tokens;

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Json};
use maud::{DOCTYPE, Markup, html};
use serde::Serialize;

pub(crate) use problem::Problem;

use crate::sessions::Session;
use crate::view::View;

/// Asks for the middle of a page alone.
pub(crate) const FRAGMENT: &str = "x-fragment";

/// The views that have a place of their own in the line at the top.
const VIEWS: [(&str, &str); 11] = [
    ("/", "Fleet"),
    ("/instances", "Instances"),
    ("/nodes", "Nodes"),
    ("/pending", "Pending"),
    ("/releases", "Releases"),
    ("/events", "Events"),
    ("/passes", "Passes"),
    ("/pipelines", "Pipelines"),
    ("/configuration", "Configuration"),
    ("/tokens", "Tokens"),
    ("/audit", "Audit"),
];

/// What a request asks for beside its path; all of it is in the address.
pub(crate) struct Asked {
    pub(crate) session: Arc<Session>,
    /// Only what contains this.
    pub(crate) filter: String,
    /// Which part, from 0.
    pub(crate) page: usize,
    path: String,
    json: bool,
    fragment: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let session = Extension::<Arc<Session>>::from_request_parts(parts, state).await;
        let Extension(session) = session.map_err(IntoResponse::into_response)?;
        let query = Query::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let mut query = query.map(|Query(query)| query).unwrap_or_default();
        Ok(Self {
            session,
            filter: query.remove("q").unwrap_or_default(),
            page: query.get("page").and_then(|n| n.parse().ok()).unwrap_or(0),
            path: parts.uri.path().to_owned(),
            json: query.get("format").is_some_and(|format| format == "json"),
            fragment: parts.headers.contains_key(FRAGMENT),
        })
    }
}

/// The fields of a form of ours; one of somebody else is refused.
pub(crate) struct Fields(HashMap<String, String>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let session = request.extensions().get::<Arc<Session>>().cloned();
        let form = Form::<HashMap<String, String>>::from_request(request, state).await;
        let Form(fields) = form.map_err(IntoResponse::into_response)?;
        let (Some(session), Some(csrf)) = (session, fields.get("csrf")) else {
            return Err(forged());
        };
        if !is_same(csrf, &session.csrf) {
            return Err(forged());
        }
        Ok(Self(fields))
    }
}

fn forged() -> Response {
    let words = "this form is not one of this session, and nothing was done: load the page anew\n";
    (StatusCode::FORBIDDEN, words).into_response()
}

/// Compares in a time that says nothing about where the two differ.
fn is_same(given: &str, own: &str) -> bool {
    let both = given.bytes().zip(own.bytes());
    given.len() == own.len() && both.fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

impl Fields {
    /// A field as text; empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |text| text.trim())
    }
}

/// What a view shows.
pub(crate) struct Page {
    pub(crate) title: String,
    /// What shows the same in a terminal.
    pub(crate) command: String,
    pub(crate) json: serde_json::Value,
    pub(crate) main: Markup,
    /// Whether it can be narrowed down.
    pub(crate) has_filter: bool,
    /// Whether it shows more than what scheduling's watch tells of.
    pub(crate) polls: bool,
}

impl Page {
    pub(crate) fn new(title: &str, command: &str, data: &impl Serialize, main: Markup) -> Self {
        Self {
            title: title.to_owned(),
            command: command.to_owned(),
            json: serde_json::to_value(data).unwrap_or_default(),
            main,
            has_filter: false,
            polls: false,
        }
    }

    /// It can be narrowed down.
    #[must_use]
    pub(crate) fn filtered(mut self) -> Self {
        self.has_filter = true;
        self
    }

    /// It is fetched anew now and then too.
    #[must_use]
    pub(crate) fn polled(mut self) -> Self {
        self.polls = true;
        self
    }

    pub(crate) fn response(self, asked: &Asked) -> Response {
        if asked.json {
            return Json(self.json).into_response();
        }
        let view = asked.session.look.view();
        let middle = html! {
            (banner(&view))
            (self.main)
        };
        if asked.fragment {
            return Html(middle.into_string()).into_response();
        }
        let said = asked.session.said();
        let page = frame(&self, asked, said, &middle);
        Html(page.into_string()).into_response()
    }
}

fn frame(page: &Page, asked: &Asked, said: Option<String>, middle: &Markup) -> Markup {
    let session = &asked.session;
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(&page.title))
            body {
                header {
                    strong { "Orrery" }
                    nav aria-label="Views" {
                        @for (path, name) in VIEWS {
                            a href=(path) aria-current=[(path == asked.path).then_some("page")] {
                                (name)
                            }
                        }
                    }
                    @if page.has_filter {
                        form.filter role="search" {
                            input type="search" name="q" value=(asked.filter)
                               placeholder="filter  /"
                                aria-label="Filter" autocomplete="off";
                        }
                    }
                    button #pause type="button" aria-pressed="false" title="p" { "pause" }
                    form.inline method="post" action="/logout" {
                        (hidden(session))
                        button title="log out" { "log out " (session.name) }
                    }
                }
                p #stale .banner role="alert" hidden {}
                @if let Some(words) = said { p.said role="status" { (words) } }
                main data-polls[page.polls] { (middle) }
                footer {
                    "in a terminal: " code { (page.command) } " · "
                    a href="?format=json" { "JSON" } " · keys: " kbd { "?" }
                }
                dialog #help {
                    dl {
                        dt { kbd { "/" } } dd { "filter" }
                        dt { kbd { "Ctrl" } " " kbd { "K" } }
                        dd { "go to a service, an instance, a view" }
                        dt { kbd { "p" } } dd { "pause, and go on" }
                        dt { kbd { "Esc" } } dd { "close this" }
                    }
                }
                dialog #palette {
                    form method="dialog" {
                        input list="names" aria-label="Go to" placeholder="go to"
                            autocomplete="off";
                        datalist #names {}
                    }
                }
            }
        }
    }
}

/// The head of every page.
pub(crate) fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width";
            title { (title) " · Orrery" }
            link rel="stylesheet" href="/style.css";
            script src="/page.js" defer {}
        }
    }
}

/// Says that what is shown is old, and how old.
fn banner(view: &View) -> Markup {
    let Some((age, why)) = view.lost() else {
        return html! {};
    };
    html! {
        p #lost .banner role="alert" {
            strong { "scheduling cannot be reached, data is " (age.as_secs()) " s old" }
            " " (why) ". "
            "What runs goes on running. Start it with " code { "cargo run -p scheduling" } "."
        }
    }
}

/// What makes a form one of this session.
pub(crate) fn hidden(session: &Session) -> Markup {
    html! { input type="hidden" name="csrf" value=(session.csrf); }
}

/// A button that does something.
pub(crate) fn button(session: &Session, action: &str, label: &str) -> Markup {
    html! {
        form.inline method="post" action=(action) {
            (hidden(session))
            button { (label) }
        }
    }
}

/// A button that does something that hurts: the name has to be written first.
pub(crate) fn dangerous(session: &Session, action: &str, label: &str, name: &str) -> Markup {
    html! {
        details.danger {
            summary { (label) }
            form method="post" action=(action) {
                (hidden(session))
                label { "Write " code { (name) } " to confirm "
                    input name="confirm" required autocomplete="off" size="16";
                }
                button.danger { (label) }
            }
        }
    }
}

/// `1 node`, `3 nodes`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A path of ours, with these parts.
pub(crate) fn path(parts: &[&str]) -> String {
    let mut path = String::new();
    for part in parts {
        path.push('/');
        for byte in part.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    path.push(char::from(byte));
                }
                other => path.push_str(&format!("%{other:02X}")),
            }
        }
    }
    path
}

/// A moment, which an open page keeps up to date.
pub(crate) fn moment(at_ms: u64) -> Markup {
    html! { time data-at=(at_ms) { (dashboard::ago(at_ms, now_ms())) } }
}

/// This moment, in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// Where one may go: what the palette offers.
pub(crate) async fn names(Extension(session): Extension<Arc<Session>>) -> Json<Vec<String>> {
    let view = session.look.view();
    let views = VIEWS.iter().map(|(path, _)| (*path).to_owned());
    let services = view.services().map(|s| path(&["services", &s.name]));
    let instances = view.instances().into_iter();
    let instances = instances.map(|i| path(&["instances", &i.id])).take(2_000);
    Json(views.chain(services).chain(instances).collect())
}

#[cfg(test)]
mod tests {
    use super::{is_same, path};

    #[test]
    fn a_name_is_one_part_of_a_path_whatever_is_in_it() {
        assert_eq!(path(&["services", "echo"]), "/services/echo");
        assert_eq!(
            path(&["services", "a/../b?c\r\n"]),
            "/services/a%2F..%2Fb%3Fc%0D%0A"
        );
    }

    #[test]
    fn secrets_are_the_same_or_not() {
        assert!(is_same("abc", "abc"));
        for other in ["", "ab", "abd", "abcd"] {
            assert!(!is_same(other, "abc"), "{other:?}");
        }
    }
}
