//! Keeps the fleet as it is wished to be.

mod announce;
mod boot;
mod brain;
mod config;
mod defaults;
mod handlers;
mod screen;
mod shutdown;
mod specs;
mod trust;

use std::process::ExitCode;

use scheduling::{SYSTEM_ADDRESS, SYSTEM_NAME};

fn main() -> ExitCode {
    let (announce, booted) = announce::when_discovery_is_up();
    chassis::Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(announce)
        .tokens(security::Follower::new())
        .run(async |setup: chassis::Setup<config::Config>| boot::boot(setup, booted).await)
}
