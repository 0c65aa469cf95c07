//! Version 2: the same, and says its version beside the reply. With `ECHO_FAILS` in its environment
//! it answers every call with an error: a version that a release has to take back.

use std::process::ExitCode;

use chassis::{Service, Setup};
use discovery::Announcer;
use echo::{
    Echo, EchoArgs, EchoDispatch, EchoReply, SYSTEM_ADDRESS, SYSTEM_NAME, VERSION_METADATA,
};
use rpc::{Context, Error};

const VERSION: &str = "2.0.0";

struct Handlers {
    fails: bool,
}

impl Echo for Handlers {
    async fn echo(&self, context: &Context, args: EchoArgs) -> Result<EchoReply, Error> {
        if self.fails {
            return Err(Error::internal("told-to-fail", "ECHO_FAILS is set"));
        }
        context.set_reply_metadata(VERSION_METADATA, VERSION);
        let EchoArgs { message } = args;
        Ok(EchoReply { message })
    }
}

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, VERSION)
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(async |setup: Setup<()>| {
            let fails = std::env::var_os("ECHO_FAILS").is_some();
            Ok(setup
                .server()
                .service(EchoDispatch::new(Handlers { fails })))
        })
}
