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
    let mut base = base::Base::new(config.series_max);
    let log = log::Log::open(
        &folder.join("points"),
        engine::now_ms(),
        |name, labels, at, value| {
            base.add(name, labels, at, value);
        },
    )?;
    let (notices, told) = mpsc::channel(NOTICES);
    let engine = Engine::load(store, base, log, config.series_max, notices).await?;
    let engine = Arc::new(engine);
    tokio::spawn(webhook::tell(told));
    tokio::spawn(scrape::run(
        Arc::clone(&engine),
        config,
        setup.common.discovery,
    ));
    let counted = Arc::clone(&engine);
    setup.add_metrics(move || {
        let base = counted.base.read();
        let (series, left_out) = (base.len(), base.left_out());
        format!(
            "# TYPE monitoring_series gauge\nmonitoring_series {series}\n\
             # TYPE monitoring_left_out counter\nmonitoring_left_out_total {left_out}\n"
        )
    });
    let pages = pages::router(Arc::clone(&engine));
    let handlers = Handlers { engine };
    let server = setup.server().service(MonitoringDispatch::new(handlers));
    Ok(App::new(server).http(pages))
}
