//! Version 1: answers with what it was sent.

use std::process::ExitCode;

use chassis::{Service, Setup};
use discovery::Announcer;
use echo::{Echo, EchoArgs, EchoDispatch, EchoReply, SYSTEM_ADDRESS, SYSTEM_NAME};
use rpc::{Context, Error};

struct Handlers;

impl Echo for Handlers {
    async fn echo(&self, _: &Context, args: EchoArgs) -> Result<EchoReply, Error> {
        let EchoArgs { message } = args;
        Ok(EchoReply { message })
    }
}

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, "1.0.0")
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(async |setup: Setup<()>| Ok(setup.server().service(EchoDispatch::new(Handlers))))
}
