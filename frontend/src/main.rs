//! The server: so far a page that says so, and probes.

use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use chassis::{App, Service, Setup};
use discovery::Announcer;
use frontend::{SYSTEM_ADDRESS, SYSTEM_NAME};

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(async |setup: Setup<()>| Ok(App::new(setup.server()).http(pages())))
}

fn pages() -> Router {
    Router::new().route(
        "/",
        get(async || "the gateway of this fleet; it has no routes yet\n"),
    )
}
