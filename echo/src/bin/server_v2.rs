//! Version 2: the same, and says its version beside the reply. With `ECHO_FAILS` in its environment
//! it answers every call with an error: a version that a release has to take back. With
//! `ECHO_FAILS_WHILE` it does so for as long as there is a file of that path: a version that gets
//! worse when it runs already.

use std::path::PathBuf;
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
    fails_while: Option<PathBuf>,
}

impl Handlers {
    fn from_environment() -> Self {
        Self {
            fails: std::env::var_os("ECHO_FAILS").is_some(),
            fails_while: std::env::var_os("ECHO_FAILS_WHILE").map(PathBuf::from),
        }
    }

    fn is_to_fail(&self) -> bool {
        self.fails || self.fails_while.as_ref().is_some_and(|file| file.exists())
    }
}

impl Echo for Handlers {
    async fn echo(&self, context: &Context, args: EchoArgs) -> Result<EchoReply, Error> {
        if self.is_to_fail() {
            return Err(Error::internal("told-to-fail", "the environment says so"));
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
            let handlers = Handlers::from_environment();
            Ok(setup.server().service(EchoDispatch::new(handlers)))
        })
}
