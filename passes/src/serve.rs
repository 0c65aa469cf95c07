//! The service is built from its settings.

use std::path::PathBuf;

use chassis::{Exit, Failure, Setup};
use discovery::Resolver;
use passes::{PassesDispatch, SYSTEM_NAME};
use scheduling::SchedulingClient;
use store::{EmbeddedStore, OpenError, Options};

use crate::book::Book;
use crate::conductor::Conductor;
use crate::handlers::Handlers;
use crate::metrics;
use crate::state::Shape;

chassis::settings! {
    /// What it can be told.
    pub(crate) struct Config {
        /// How many workers decide.
        workers: usize = 4,
        /// How much of each node's CPU and memory only alerts may use, in percent.
        headroom: u32 = 15,
        /// The folder for what jobs keep between their starts; it has to be the same on all nodes.
        checkpoints: Option<PathBuf> = None,
    }
}

pub(crate) async fn serve(setup: Setup<Config>) -> Result<rpc::Server, Failure> {
    let folder = setup.common.data.join(SYSTEM_NAME);
    let store = EmbeddedStore::open(&folder, Options::default()).map_err(|e| cannot_open(&e))?;
    let shape = Shape {
        workers: setup.settings.workers,
        headroom_pct: setup.settings.headroom,
    };
    let book = Book::load(store, shape).await?;
    let resolver = Resolver::new(setup.common.discovery);
    let checkpoints = setup.settings.checkpoints.clone();
    let conductor = Conductor {
        book: book.clone(),
        scheduling: SchedulingClient::new(resolver.channel(scheduling::SYSTEM_NAME)),
        checkpoints: checkpoints.unwrap_or_else(|| folder.join("checkpoints")),
    };
    tokio::spawn(conductor.work());
    let counted = book.clone();
    setup.add_metrics(move || metrics::text(&counted.stats()));
    let failing = book.clone();
    tokio::spawn(async move {
        let failure = failing.failed().await;
        tracing::error!(%failure, "the state cannot be made durable any more; ending");
        std::process::exit(Exit::Software.code().into());
    });
    Ok(setup
        .server()
        .service(PassesDispatch::new(Handlers { book })))
}

fn cannot_open(error: &OpenError) -> Failure {
    let failure = Failure::new(Exit::Unavailable, error.to_string());
    match error {
        OpenError::Held { .. } => failure.with_hint("`--data` names another data directory"),
        _ => failure,
    }
}
