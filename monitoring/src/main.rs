//! The server: what instances count, over time.

mod base;
mod config;
mod engine;
mod handlers;
mod log;
mod pages;
mod parse;
mod query;
mod rules;
mod scrape;
mod series;
mod webhook;

use std::process::ExitCode;
use std::sync::Arc;

use chassis::{App, Exit, Failure, Service, Setup};
use discovery::Announcer;
use monitoring::{MonitoringDispatch, SYSTEM_ADDRESS, SYSTEM_NAME};
use store::{EmbeddedStore, Options};
use tokio::sync::mpsc;

use self::config::Config;
use self::engine::Engine;
use self::handlers::Handlers;

/// Alerts that wait to be told.
const NOTICES: usize = 1_000;

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(serve)
}

async fn serve(setup: Setup<Config>) -> Result<App, Failure> {
    let config = setup.settings.clone();
    let folder = setup.common.data.join(SYSTEM_NAME);
    let store = EmbeddedStore::open(&folder, Options::default())
        .map_err(|e| Failure::new(Exit::Unavailable, e.to_string()))?;
    let (notices, told) = mpsc::channel(NOTICES);
    let points = folder.join("points");
    let engine = Engine::load(store, &points, config.series_max, notices).await?;
    let engine = Arc::new(engine);
    tokio::spawn(webhook::tell(told));
    tokio::spawn(scrape::run(
        Arc::clone(&engine),
        config,
        setup.common.discovery,
    ));
    let counted = Arc::clone(&engine);
    setup.add_metrics(move || counted.metrics());
    let pages = pages::router(Arc::clone(&engine));
    let handlers = Handlers { engine };
    let server = setup.server().service(MonitoringDispatch::new(handlers));
    Ok(App::new(server).http(pages))
}
