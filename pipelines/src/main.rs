//! The server: streaming dataflows with checkpoints.

mod backend;
mod book;
mod config;
mod executor;
mod files;
mod handlers;
mod info;
mod jobs;
mod link;
mod mail;
mod record;
mod words;

use std::process::ExitCode;

use chassis::{Exit, Failure, Service, Setup};
use discovery::Announcer;
use pipelines::{PipelinesDispatch, SYSTEM_ADDRESS, SYSTEM_NAME};

use self::backend::Backend;
use self::book::Book;
use self::config::Config;
use self::handlers::Handlers;
use self::jobs::Jobs;
use self::mail::Mail;

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(serve)
}

async fn serve(setup: Setup<Config>) -> Result<rpc::Server, Failure> {
    let folder = std::path::absolute(setup.common.data.join(SYSTEM_NAME))?;
    let (book, mail) = (Book::open(&folder)?, Mail::default());
    let failing = book.clone();
    tokio::spawn(async move {
        let failure = failing.failed().await;
        tracing::error!(%failure, "the state cannot be made durable any more; ending");
        std::process::exit(Exit::Software.code().into());
    });
    let config = setup.settings.clone();
    let logs = folder.join("logs");
    let backend = Backend::open(config.clone(), logs, book.clone(), mail.clone()).await?;
    let jobs = Jobs::open(config, folder, book, backend, mail).await?;
    Ok(setup
        .server()
        .service(PipelinesDispatch::new(Handlers { jobs })))
}
