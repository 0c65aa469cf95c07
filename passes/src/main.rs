//! The server: jobs with deadlines; and `simulate`, a day of them on the terminal.

mod book;
mod conductor;
mod handlers;
mod metrics;
mod nodes;
mod record;
mod refusal;
mod serve;
mod simulate;
mod state;
mod wish;

use std::process::ExitCode;

use chassis::Service;
use discovery::Announcer;
use passes::{SYSTEM_ADDRESS, SYSTEM_NAME};

fn main() -> ExitCode {
    if let Some(code) = simulate::asked() {
        return code;
    }
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(serve::serve)
}
