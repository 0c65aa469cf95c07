//! The server: who may do what.

mod audit;
mod book;
mod ca;
mod config;
mod first;
mod handlers;
mod keyring;
mod private;
mod state;
mod teller;
mod vault;

use std::process::ExitCode;
use std::sync::Arc;

use chassis::trust::TokenTable;
use chassis::{Exit, Failure, Service, Setup};
use discovery::Announcer;
use security::{SYSTEM_ADDRESS, SYSTEM_NAME, SecurityDispatch};

use self::book::Book;
use self::ca::Authority;
use self::config::Config;
use self::handlers::{Handlers, now_ms};
use self::keyring::Keyring;

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .run(serve)
}

async fn serve(setup: Setup<Config>) -> Result<rpc::Server, Failure> {
    let folder = setup.common.data.join(SYSTEM_NAME);
    let book = Book::open(&folder).await?;
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
    let (config, keys) = (&setup.settings, Keyring::open(&folder)?);
    let authority = Authority::open(&folder, &config.fleet, config.lifetime()?, now_ms())?;
    let handlers = Handlers::new(book, instance, keys, authority);
    Ok(setup.server().service(SecurityDispatch::new(handlers)))
}
