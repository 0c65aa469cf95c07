//! The server: HTTP in front, procedures behind.

mod body;
mod call;
mod catalogue;
mod config;
mod door;
mod events;
mod gateway;
mod internal;
mod json;
mod listing;
mod openapi;
mod origin;
mod places;
mod problem;
mod rate;
mod request;
mod stats;

use std::process::ExitCode;
use std::sync::Arc;

use chassis::{App, Failure, Service, Setup};
use discovery::Announcer;
use frontend::{SYSTEM_ADDRESS, SYSTEM_NAME};

use self::config::Config;
use self::gateway::{Gateway, router};

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(serve)
}

async fn serve(setup: Setup<Config>) -> Result<App, Failure> {
    let gateway = Arc::new(Gateway::new(&setup)?);
    let (counted, ending) = (Arc::clone(&gateway), Arc::clone(&gateway));
    setup.add_metrics(move || counted.metrics());
    Ok(App::new(setup.server())
        .http(router(gateway))
        .on_stop(move |_| ending.end()))
}
