//! The server: the store over RPC.

mod forward;
mod handlers;
mod keyspace;
mod seat;

use std::process::ExitCode;
use std::sync::Arc;

use chassis::{App, Exit, Failure, Service, Setup};
use discovery::Announcer;
use storage::{SYSTEM_ADDRESS, SYSTEM_NAME, StorageDispatch};

use self::forward::Forward;
use self::handlers::Handlers;
use self::seat::Seat;

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(serve)
}

async fn serve(setup: Setup<()>) -> Result<App, Failure> {
    let folder = setup.common.data.join(SYSTEM_NAME);
    let seat = Arc::new(Seat::new(&folder, setup.address));
    let taken = seat.try_take();
    taken.map_err(|e| Failure::new(Exit::Unavailable, e.to_string()))?;
    let holding = Arc::clone(&seat);
    tokio::spawn(async move {
        let why = holding.hold().await;
        tracing::error!(why, "the store cannot be used any more; ending");
        std::process::exit(Exit::Software.code().into());
    });
    let leaving = Arc::clone(&seat);
    let forward = Arc::new(Forward::new(seat));
    let counted = Arc::clone(&forward);
    setup.add_metrics(move || counted.metrics());
    let handlers = Handlers { forward };
    let server = setup.server().service(StorageDispatch::new(handlers));
    Ok(App::new(server).on_stop(async move |_| leaving.give_up().await))
}
