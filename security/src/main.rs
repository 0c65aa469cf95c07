//! The server: who may do what.

mod audit;
mod book;
mod first;
mod handlers;
mod keyring;
mod state;
mod teller;
mod vault;

use std::process::ExitCode;
use std::sync::Arc;

use chassis::trust::TokenTable;
use chassis::{Exit, Failure, Service, Setup};
use discovery::Announcer;
use security::{SYSTEM_ADDRESS, SYSTEM_NAME, SecurityDispatch};
use store::{EmbeddedStore, OpenError, Options};

use self::book::Book;
use self::handlers::Handlers;
use self::keyring::Keyring;

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .run(serve)
}

async fn serve(setup: Setup<()>) -> Result<rpc::Server, Failure> {
    let folder = setup.common.data.join(SYSTEM_NAME);
    let store = EmbeddedStore::open(&folder, Options::default()).map_err(|e| cannot_open(&e))?;
    let book = Book::load(store).await?;
    first::admin_token(&book, &folder, setup.common.instance.is_some()).await?;
    let table = Arc::new(TokenTable::default());
    setup.believe_tokens(Arc::clone(&table));
    tokio::spawn(teller::tell_ourselves(book.clone(), table));
    tokio::spawn(teller::tell_discovery(book.clone(), setup.common.discovery));
    let failing = book.clone();
    tokio::spawn(async move {
        let failure = failing.failed().await;
        tracing::error!(%failure, "the state cannot be made durable any more; ending");
        std::process::exit(Exit::Software.code().into());
    });
    let instance = setup.instance.clone();
    let keys = Keyring::open(&folder)?;
    let handlers = Handlers::new(book, instance, keys);
    Ok(setup.server().service(SecurityDispatch::new(handlers)))
}

fn cannot_open(error: &OpenError) -> Failure {
    let failure = Failure::new(Exit::Unavailable, error.to_string());
    match error {
        OpenError::Held { .. } => failure.with_hint("`--data` names another data directory"),
        _ => failure,
    }
}
