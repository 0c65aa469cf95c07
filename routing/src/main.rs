//! The server: so far the built-in procedures.

use std::process::ExitCode;

use chassis::{Service, Setup};
use discovery::Announcer;
use routing::{SYSTEM_ADDRESS, SYSTEM_NAME};

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(async |setup: Setup<()>| Ok(setup.server()))
}
