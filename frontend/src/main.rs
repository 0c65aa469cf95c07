//! The server: HTTP in front, procedures behind.

mod catalogue;
mod config;
mod door;
mod gateway;
mod openapi;
mod problem;
mod rate;
mod request;
mod stats;

use std::process::ExitCode;
use std::sync::Arc;

use chassis::{App, Exit, Failure, Service, Setup};
use discovery::Announcer;
use frontend::{SYSTEM_ADDRESS, SYSTEM_NAME};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use self::catalogue::Catalogue;
use self::config::Config;
use self::door::Door;
use self::gateway::Gateway;
use self::stats::Stats;

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(serve)
}

async fn serve(setup: Setup<Config>) -> Result<App, Failure> {
    let config = setup.settings.clone();
    let door = Door::new(&config).map_err(|why| Failure::new(Exit::Config, why))?;
    let gateway = Arc::new(Gateway {
        catalogue: Catalogue::new(setup.common.discovery),
        doorman: setup.doorman(),
        door: Mutex::new(door),
        places: Arc::new(Semaphore::new(config.requests_max)),
        streams: Arc::new(Semaphore::new(config.streams_max)),
        stats: Stats::default(),
        version: env!("CARGO_PKG_VERSION"),
        config,
    });
    let counted = Arc::clone(&gateway);
    setup.add_metrics(move || counted.stats.text());
    Ok(App::new(setup.server()).http(gateway::router(gateway)))
}
