//! The server: values that may be lost.

mod cache;
mod follow;
mod handlers;

use std::process::ExitCode;
use std::sync::Arc;

use caching::{CachingDispatch, SYSTEM_ADDRESS, SYSTEM_NAME};
use chassis::{Service, Setup};
use discovery::{Announcer, Resolver};
use storage::StorageClient;

use self::cache::Held;
use self::handlers::Handlers;

chassis::settings! {
    /// What a cache can be told.
    struct Config {
        /// Bytes that values may take, keys and overhead included.
        capacity: u64 = 64 << 20,
    }
}

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::new())
        .tokens(security::Follower::new())
        .run(async |setup: Setup<Config>| {
            let resolver = Resolver::new(setup.common.discovery);
            let storage = StorageClient::new(resolver.channel(storage::SYSTEM_NAME));
            let held = Arc::new(Held::new(setup.settings.capacity, storage.clone()));
            let counted = Arc::clone(&held);
            setup.add_metrics(move || counted.metrics());
            let handlers = Handlers { held, storage };
            Ok(setup.server().service(CachingDispatch::new(handlers)))
        })
}
