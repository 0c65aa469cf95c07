//! The server: values that change while services run.

mod book;
mod handlers;
mod keys;

use std::process::ExitCode;
use std::sync::Arc;

use chassis::{Exit, Failure, Service, Setup};
use configuration::{ConfigurationDispatch, SYSTEM_ADDRESS, SYSTEM_NAME};
use discovery::Announcer;
use store::{EmbeddedStore, OpenError, Options};

use self::book::Book;
use self::handlers::Handlers;

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(serve)
}

async fn serve(setup: Setup<()>) -> Result<rpc::Server, Failure> {
    let folder = setup.common.data.join(SYSTEM_NAME);
    let store = EmbeddedStore::open(&folder, Options::default()).map_err(|e| cannot_open(&e))?;
    let book = Arc::new(Book::new(store));
    let failing = Arc::clone(&book);
    tokio::spawn(async move {
        let failure = failing.failed().await;
        tracing::error!(%failure, "the state cannot be made durable any more; ending");
        std::process::exit(Exit::Software.code().into());
    });
    let handlers = Handlers { book };
    Ok(setup.server().service(ConfigurationDispatch::new(handlers)))
}

fn cannot_open(error: &OpenError) -> Failure {
    let failure = Failure::new(Exit::Unavailable, error.to_string());
    match error {
        OpenError::Held { .. } => failure.with_hint("`--data` names another data directory"),
        _ => failure,
    }
}
