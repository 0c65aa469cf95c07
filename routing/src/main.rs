//! The server: which instance gets a call.

mod handlers;
mod splits;

use std::process::ExitCode;

use chassis::{Exit, Failure, Service, Setup};
use discovery::{Announcer, Resolver};
use routing::{Router, RoutingDispatch, SYSTEM_ADDRESS, SYSTEM_NAME};
use store::{EmbeddedStore, OpenError, Options};

use self::handlers::Handlers;
use self::splits::Splits;

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(serve)
}

async fn serve(setup: Setup<()>) -> Result<rpc::Server, Failure> {
    let folder = setup.common.data.join(SYSTEM_NAME);
    let store = EmbeddedStore::open(&folder, Options::default()).map_err(|e| cannot_open(&e))?;
    let splits = Splits::load(store).await?;
    let router = Router::new(Resolver::new(setup.common.discovery), &setup.common.zone);
    tokio::spawn(handlers::follow(router.clone(), splits.clone()));
    let failing = splits.clone();
    tokio::spawn(async move {
        let failure = failing.failed().await;
        tracing::error!(%failure, "the state cannot be made durable any more; ending");
        std::process::exit(Exit::Software.code().into());
    });
    let handlers = Handlers { router, splits };
    Ok(setup.server().service(RoutingDispatch::new(handlers)))
}

fn cannot_open(error: &OpenError) -> Failure {
    let failure = Failure::new(Exit::Unavailable, error.to_string());
    match error {
        OpenError::Held { .. } => failure.with_hint("`--data` names another data directory"),
        _ => failure,
    }
}
