//! Version 2: the same, and says its version beside the reply.

use std::process::ExitCode;

use chassis::{Service, Setup};
use discovery::Announcer;
use echo::{
    Echo, EchoArgs, EchoDispatch, EchoReply, SYSTEM_ADDRESS, SYSTEM_NAME, VERSION_METADATA,
};
use rpc::{Context, Error};

const VERSION: &str = "2.0.0";

struct Handlers;

impl Echo for Handlers {
    async fn echo(&self, context: &Context, args: EchoArgs) -> Result<EchoReply, Error> {
        context.set_reply_metadata(VERSION_METADATA, VERSION);
        let EchoArgs { message } = args;
        Ok(EchoReply { message })
    }
}

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, VERSION)
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(async |setup: Setup<()>| Ok(setup.server().service(EchoDispatch::new(Handlers))))
}
