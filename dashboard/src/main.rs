//! The page on 8080: the fleet at a glance, from scheduling's own watch.
//!
//! It shows what it was told last, with its age, when scheduling is away: a lost connection is no
//! empty fleet. It listens on loopback only, answers only requests that name a loopback host, and
//! runs no script: names and reasons are text that others wrote.

mod page;
mod view;
mod web;

use std::net::SocketAddr;
use std::process::ExitCode;

use chassis::{App, Exit, Failure, Service, Setup};
use client::discovery::Announcer;
use dashboard::{SYSTEM_ADDRESS, SYSTEM_NAME};

chassis::settings! {
    /// What the page can be told.
    pub struct Settings {
        /// Where scheduling listens; by default where it announced itself to discovery.
        pub scheduling: Option<SocketAddr> = None,
    }
}

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(build)
}

async fn build(setup: Setup<Settings>) -> Result<App, Failure> {
    let address = setup.address;
    if !address.ip().is_loopback() {
        let message =
            format!("refusing to serve on {address}: the page asks nobody for a password");
        return Err(Failure::new(Exit::Config, message)
            .with_hint("listen on 127.0.0.1, and reach it through ssh -L"));
    }
    let server = setup.server();
    let view = view::follow(setup.settings.scheduling, setup.common.discovery);
    Ok(App::new(server).http(web::router(view)))
}
