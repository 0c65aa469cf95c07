//! The server: decides which machine gets an instance.

mod config;
mod decide;
mod engine;
mod handlers;
mod lead;
mod mirror;
mod queue;
mod stats;

use std::process::ExitCode;
use std::sync::Arc;

use chassis::{Failure, Service, Setup};
use discovery::{Announcer, Resolver};
use resource_scheduler::{ResourceSchedulerDispatch, SYSTEM_ADDRESS, SYSTEM_NAME};
use scheduling::SchedulingClient;

use self::config::Config;
use self::engine::Engine;
use self::handlers::Handlers;
use self::lead::Lead;
use self::mirror::Mirror;

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(serve)
}

async fn serve(setup: Setup<Config>) -> Result<rpc::Server, Failure> {
    let resolver = Resolver::new(setup.common.discovery);
    let scheduling = SchedulingClient::new(resolver.channel(scheduling::SYSTEM_NAME));
    let mirror = Mirror::new(config::placement(&setup.settings)?);
    let lead = Lead::new(setup.instance.clone());
    let engine = Arc::new(Engine::new(mirror, lead, scheduling));
    engine.start(setup.settings.poll);
    let measured = Arc::clone(&engine);
    setup.add_metrics(move || measured.metrics());
    Ok(setup
        .server()
        .service(ResourceSchedulerDispatch::new(Handlers(engine))))
}
