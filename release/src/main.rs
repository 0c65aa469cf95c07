//! The server: new versions, step by step.

mod book;
mod clock;
mod handlers;
mod record;
mod signals;
mod worker;

use std::process::ExitCode;

use chassis::{Exit, Failure, Service, Setup};
use discovery::{Announcer, Resolver};
use release::{ReleaseDispatch, SYSTEM_ADDRESS, SYSTEM_NAME};
use scheduling::SchedulingClient;
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
    let book = Book::load(store).await?;
    let resolver = Resolver::new(setup.common.discovery);
    let scheduling = SchedulingClient::new(resolver.channel(scheduling::SYSTEM_NAME));
    tokio::spawn(worker::work(book.clone(), scheduling.clone()));
    let failing = book.clone();
    tokio::spawn(async move {
        let failure = failing.failed().await;
        tracing::error!(%failure, "the state cannot be made durable any more; ending");
        std::process::exit(Exit::Software.code().into());
    });
    let handlers = Handlers { book, scheduling };
    Ok(setup.server().service(ReleaseDispatch::new(handlers)))
}

fn cannot_open(error: &OpenError) -> Failure {
    let failure = Failure::new(Exit::Unavailable, error.to_string());
    match error {
        OpenError::Held { .. } => failure.with_hint("`--data` names another data directory"),
        _ => failure,
    }
}
