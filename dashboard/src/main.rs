//! The page on 8080: the fleet at a glance, and what an operator does about it.
//!
//! It keeps nothing of the fleet: what it shows and does is asked of the services with the
//! operator's own token, who logs in with it. It listens on loopback only and answers only requests
//! that name a loopback host. How it keeps to itself is in docs/dashboard.md.

mod actions;
mod live;
mod login;
mod pages;
mod sessions;
mod view;
mod web;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use chassis::{App, Exit, Failure, Service, Setup};
use client::discovery::Announcer;
use dashboard::{SYSTEM_ADDRESS, SYSTEM_NAME};

use self::sessions::Sessions;

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
            format!("refusing to serve on {address}: tokens would cross a network in the clear");
        return Err(Failure::new(Exit::Config, message)
            .with_hint("listen on 127.0.0.1, and reach it through ssh -L"));
    }
    let (scheduling, discovery) = (setup.settings.scheduling, setup.common.discovery);
    let sessions = Sessions::new(setup.doorman(), scheduling, discovery);
    Ok(App::new(setup.server()).http(web::router(Arc::new(sessions))))
}
