//! The server, so far with the built-in procedures; and `simulate`.

mod simulate;

use std::process::ExitCode;

use chassis::{Service, Setup};
use discovery::Announcer;
use passes::{SYSTEM_ADDRESS, SYSTEM_NAME};

fn main() -> ExitCode {
    if let Some(code) = simulate::asked() {
        return code;
    }
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(async |setup: Setup<()>| Ok(setup.server()))
}
