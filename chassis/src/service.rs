//! The life of a service, from its settings to its exit code.

use std::future::Future;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::announce::{Announce, Announcement};
use crate::announced::Announced;
use crate::app::{App, Health, Setup};
use crate::exit::{Exit, Failure};
use crate::notify::notify;
use crate::serving::{Serving, Stops};
use crate::settings::{Common, Loaded, Settings, Sources, help, load};
use crate::trust::{self, AuthorityGuard, Tokens};
use crate::{log, port};

/// Procedures up to this number are built into every server, and nobody looks for them by name.
const BUILTIN_MAX: rpc::ProcedureId = 99;

/// A service, about to run.
pub struct Service {
    name: &'static str,
    address: &'static str,
    version: &'static str,
    announce: Option<Box<dyn Announce>>,
    tokens: Option<Box<dyn Tokens>>,
}

impl Service {
    /// A service with its `SYSTEM_NAME`, its `SYSTEM_ADDRESS` and its version.
    #[must_use]
    pub fn new(name: &'static str, address: &'static str, version: &'static str) -> Self {
        Self {
            name,
            address,
            version,
            announce: None,
            tokens: None,
        }
    }

    /// Announces the service once it serves; without this, nobody is told.
    #[must_use]
    pub fn announce(mut self, announce: impl Announce) -> Self {
        self.announce = Some(Box::new(announce));
        self
    }

    /// Learns from `tokens` which opaque tokens there are; without this, it knows none.
    #[must_use]
    pub fn tokens(mut self, tokens: impl Tokens) -> Self {
        self.tokens = Some(Box::new(tokens));
        self
    }

    /// Reads the settings, builds the service, and serves until somebody ends it. Says on stderr
    /// why it did not start; see [`Exit`] for the codes.
    pub fn run<S, A, F, Fut>(self, build: F) -> ExitCode
    where
        S: Settings,
        A: Into<App>,
        F: FnOnce(Setup<S>) -> Fut,
        Fut: Future<Output = Result<A, Failure>>,
    {
        let name = self.name;
        match self.try_run(build) {
            Ok(exit) => exit.into(),
            Err(failure) => {
                // Nobody is left to tell when stderr is gone.
                let _ = std::io::stderr().write_all(failure.render(name).as_bytes());
                failure.exit.into()
            }
        }
    }

    fn try_run<S, A, F, Fut>(self, build: F) -> Result<Exit, Failure>
    where
        S: Settings,
        A: Into<App>,
        F: FnOnce(Setup<S>) -> Fut,
        Fut: Future<Output = Result<A, Failure>>,
    {
        let (common, settings) = match load::<S>(self.name, &Sources::of_process())? {
            Loaded::Serve(common, settings) => (*common, settings),
            Loaded::Help => return Ok(print(&help::<S>(self.name, self.version, self.address))),
            Loaded::Version => return Ok(print(&format!("{} {}\n", self.name, self.version))),
        };
        log::start(&common)?;
        let listener = port::bind(self.wanted_address(&common)?)?;
        let address = listener.local_addr()?;
        let unnamed = || format!("{}@{address}", self.name);
        let setup = Setup {
            settings,
            address,
            instance: common.instance.clone().unwrap_or_else(unnamed),
            health: Health::new(),
            name: self.name,
            version: self.version,
            metrics: Arc::default(),
            authority: trust::authority(self.name, &common)?,
            registry: Arc::default(),
            common,
        };
        let runtime = runtime(setup.common.threads)?;
        let exit = runtime.block_on(self.live(listener, setup, build));
        // Work that blocks a thread must not hold up the end of the process.
        runtime.shutdown_background();
        exit
    }

    fn wanted_address(&self, common: &Common) -> Result<SocketAddr, Failure> {
        let fallback = || self.address.parse();
        let address = common.address.map_or_else(fallback, Ok).map(|mut address| {
            address.set_ip(common.host.unwrap_or(address.ip()));
            address
        });
        address.map_err(|e| {
            let message = format!(
                "the address `{}` of {} is none: {e}",
                self.address, self.name
            );
            Failure::new(Exit::Software, message)
        })
    }

    async fn live<S, A, F, Fut>(
        self,
        listener: TcpListener,
        setup: Setup<S>,
        build: F,
    ) -> Result<Exit, Failure>
    where
        A: Into<App>,
        F: FnOnce(Setup<S>) -> Fut,
        Fut: Future<Output = Result<A, Failure>>,
    {
        let mut stops = Stops::new()?;
        let mut about = self.about(&setup);
        let (health, metrics) = (setup.health.clone(), Arc::clone(&setup.metrics));
        let (authority, registry) = (Arc::clone(&setup.authority), Arc::clone(&setup.registry));
        let (auth, drain_grace) = (setup.common.auth, setup.common.drain_grace);
        if let Some(path) = setup.common.credential.clone() {
            trust::show_own_token(path)?;
        }
        let mut app: App = tokio::select! {
            built = build(setup) => built?.into(),
            _ = stops.signal() => return Ok(Exit::Ended),
        };
        about.http = app.has_pages();
        let registry = registry.get().copied().unwrap_or(about.registry);
        trust::follow(&authority, self.tokens, registry, &about.instance);
        trust::refuse_strangers(&authority, auth, about.address)?;
        app.server = app.server.guard(AuthorityGuard(authority));
        let serving = Serving::start(listener, app, health, metrics)?;
        let procedures = serving.rpc.procedures().into_iter();
        about.procedures = procedures.filter(|id| *id > BUILTIN_MAX).collect();
        let address = about.address;
        let announced = Announced::start(self.announce, about);
        announced.first_word().await;
        notify(&format!("READY=1\nSTATUS=serving on {address}\n"));
        tracing::info!(%address, version = self.version, "{} serves", self.name);
        let reason = serving.until_stopped(&mut stops).await;
        tracing::info!(?reason, "{} ends", self.name);
        notify("STOPPING=1\n");
        tokio::select! {
            () = serving.stop(reason, announced, drain_grace) => {}
            _ = stops.signal() => tracing::warn!("a second signal: ending at once"),
        }
        Ok(Exit::Ended)
    }

    fn about<S>(&self, setup: &Setup<S>) -> Announcement {
        Announcement {
            service: self.name.to_owned(),
            instance: setup.instance.clone(),
            address: setup.address,
            version: self.version.to_owned(),
            zone: setup.common.zone.clone(),
            weight: setup.common.weight,
            procedures: Vec::new(),
            http: false,
            registry: setup.common.discovery,
            ttl: setup.common.lease_ttl,
        }
    }
}

/// One thread for small services: the fewest threads start the fastest.
fn runtime(threads: usize) -> std::io::Result<Runtime> {
    if threads <= 1 {
        return Builder::new_current_thread().enable_all().build();
    }
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
}

fn print(text: &str) -> Exit {
    // `--help | head` closes the pipe early, and that is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Exit::Ended
}
