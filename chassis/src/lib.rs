//! What every service's `main` shares: settings, serving, announcing, health, metrics, draining.
//!
//! A service's `main` says what it is and builds its procedures; the rest is here:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! chassis::settings! {
//!     /// What the greeter can be told.
//!     pub struct GreeterSettings {
//!         /// What it says.
//!         pub words: String = "good day".to_owned(),
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     // `.announce(discovery::Announcer::new())` tells the fleet where it is.
//!     chassis::Service::new("greeter", "127.0.0.1:19000", env!("CARGO_PKG_VERSION")).run(
//!         async |setup: chassis::Setup<GreeterSettings>| Ok(setup.server()),
//!     )
//! }
//! ```
//!
//! # The life of a service
//! 1. Settings: default, file, environment, flag: see [`settings!`].
//! 2. Its port is bound; what the closure builds is served on it: procedures, and over HTTP
//!    `/livez`, `/readyz`, `/metrics` and whatever [`App::http`] adds.
//! 3. It is announced, and then says `READY=1` to whoever started it (`NOTIFY_SOCKET`), with
//!    `STATUS=serving on <address>`; stderr has the address too. If discovery cannot be reached,
//!    it says so, is ready all the same, and goes on trying for as long as it lives.
//! 4. SIGTERM, SIGINT or the built-in `DRAIN` ends it: it leaves discovery, does what
//!    [`App::on_stop`] wants, tells its clients to go elsewhere, lets calls in flight end for
//!    `drain_grace`, and exits with 0. A second signal ends it at once.
//!
//! # The environment an agent sets
//! | variable | meaning |
//! |---|---|
//! | `PORT` | listen on 127.0.0.1:PORT; 0 is a free port |
//! | `NOTIFY_SOCKET` | where to say `READY=1` and `STOPPING=1` |
//! | `ORRERY_INSTANCE` | which instance this is, as in `echo.2.7` |
//! | `ORRERY_DISCOVERY` | where discovery listens; 127.0.0.1:10200 by default |
//! | `ORRERY_DATA` | the folder for state |
//! | `ORRERY_FLEET_KEY`, `ORRERY_CREDENTIAL`, `ORRERY_AUTH` | whom to believe: see [`trust`] |
//!
//! # Exit codes
//! [`Exit`]: 0, 64 (bad flag), 69 (port or data taken), 70 (could not start), 78 (bad setting).

mod announce;
mod announced;
mod app;
mod exit;
mod http;
mod log;
mod metrics;
mod notify;
mod port;
mod service;
mod serving;
mod settings;
mod shared_port;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trust;

pub use announce::{Announce, Announcement, Keeping, Standing};
pub use app::{App, Health, Setup, StopReason};
pub use exit::{Exit, Failure};
pub use service::Service;
pub use settings::{Auth, Common, Key, LogFormat, Raw, Scalar, Setting, Settings};
