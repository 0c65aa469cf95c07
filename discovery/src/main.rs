//! The server: who serves what, where, now.

mod handlers;
mod limits;
mod registry;
mod trust;

use std::process::ExitCode;
use std::sync::Arc;

use chassis::{App, Service, Setup};
use discovery::{Announcer, DiscoveryDispatch, SYSTEM_ADDRESS, SYSTEM_NAME};

use self::handlers::Handlers;
use self::registry::Registry;

chassis::settings! {
    /// What discovery can be told.
    struct DiscoverySettings {
        /// How many changes are remembered for watches that come back.
        history: usize = 16_384,
    }
}

fn main() -> ExitCode {
    Service::new(SYSTEM_NAME, SYSTEM_ADDRESS, env!("CARGO_PKG_VERSION"))
        .announce(Announcer::to_itself())
        .run(async |setup: Setup<DiscoverySettings>| {
            let registry = Arc::new(Registry::new(setup.settings.history)?);
            tokio::spawn(registry::keep_time(Arc::clone(&registry)));
            let counted = Arc::clone(&registry);
            setup.add_metrics(move || counted.metrics());
            let told = trust::Told::default();
            if setup.is_guarded() {
                setup.believe_tokens(told.table());
            }
            let handlers = Handlers::new(Arc::clone(&registry), told);
            let server = setup.server().service(DiscoveryDispatch::new(handlers));
            Ok(App::new(server).on_stop(async move |_| registry.end()))
        })
}
