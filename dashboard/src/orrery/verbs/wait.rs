//! `orrery wait`: until a service is as wished.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use client::scheduling::{ServiceInfo, WatchArgs, reason};
use rpc::{CallOptions, Code, Error};
use tokio::time::sleep;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// How long to wait when the operator does not say.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before a watch that was lost is opened again.
const PAUSE: Duration = Duration::from_millis(200);

/// Wait until a service is as wished; exit code 6 when the time is up first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery scale echo 50 && orrery wait echo --timeout 1m
  orrery wait --for healthy echo
  orrery delete hello --yes && orrery wait --for gone hello")]
pub(crate) struct Wait {
    /// Which service.
    service: String,
    /// What to wait for.
    #[arg(long = "for", value_enum, default_value_t, value_name = "WHAT")]
    what: What,
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum What {
    /// Every replica that is wished for is healthy.
    #[default]
    Healthy,
    /// No such service is left.
    Gone,
}

/// How far it has come.
enum Seen {
    Reached(Option<ServiceInfo>),
    NotYet(String),
}

impl Wait {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let patience = session.timeout.unwrap_or(PATIENCE);
        let started = Instant::now();
        let mut last = "nothing was heard of it".to_owned();
        let mut told = false;
        loop {
            let error = match self.watch(session, started + patience, &mut last).await {
                Ok(service) => return self.reached(session, service.as_ref(), started),
                Err(error) => error,
            };
            if started.elapsed() >= patience || error.code == Code::DeadlineExceeded {
                return Err(self.too_late(patience, &last));
            }
            if error.code != Code::Unavailable {
                return Err(session.failure_about(&self.service, error).await);
            }
            // Scheduling may be starting or changing places: that is what waiting is for.
            last = session.fleet.located(error).message;
            if !told {
                session.out.say(format!("waiting: {last}"));
                told = true;
            }
            sleep(PAUSE).await;
        }
    }

    /// Watches until it is so, and remembers in `last` how it was.
    async fn watch(
        &self,
        session: &Session,
        deadline: Instant,
        last: &mut String,
    ) -> Result<Option<ServiceInfo>, Error> {
        let options = CallOptions {
            deadline: Some(deadline),
            timeout: Some(deadline.saturating_duration_since(Instant::now())),
            ..CallOptions::default()
        };
        let args = WatchArgs {
            from_revision: None,
            service: Some(self.service.clone()),
        };
        let call = session.fleet.scheduling_streams().with(options);
        let mut stream = match call.watch(&args).await {
            Err(error) if self.is_gone(&error) => return Ok(None),
            opened => opened?,
        };
        while let Some(item) = stream.next().await {
            let item = match item {
                Err(error) if self.is_gone(&error) => return Ok(None),
                item => item?,
            };
            let service = item.services.into_iter().find(|s| s.name == self.service);
            let gone = item.services_gone.contains(&self.service);
            match self.look(service, gone || item.reset) {
                Some(Seen::Reached(service)) => return Ok(service),
                Some(Seen::NotYet(state)) => *last = state,
                None => {}
            }
        }
        Err(Error::new(
            Code::Unavailable,
            "watch-ended",
            "the watch ended",
        ))
    }

    fn is_gone(&self, error: &Error) -> bool {
        self.what == What::Gone && error.reason == reason::UNKNOWN_SERVICE
    }

    /// `None`: the item said nothing about the service.
    fn look(&self, service: Option<ServiceInfo>, absent_is_gone: bool) -> Option<Seen> {
        match (service, self.what) {
            (Some(service), What::Healthy) if service.healthy == service.replicas => {
                Some(Seen::Reached(Some(service)))
            }
            (Some(service), _) => {
                let ServiceInfo {
                    healthy, replicas, ..
                } = service;
                let waits = service.waiting.first().map(|why| format!("; {why}"));
                let waits = waits.unwrap_or_default();
                Some(Seen::NotYet(format!(
                    "{healthy} of {replicas} are healthy{waits}"
                )))
            }
            (None, What::Gone) if absent_is_gone => Some(Seen::Reached(None)),
            (None, What::Healthy) if absent_is_gone => {
                Some(Seen::NotYet("there is no such service".to_owned()))
            }
            (None, _) => None,
        }
    }

    fn reached(
        &self,
        session: &Session,
        service: Option<&ServiceInfo>,
        started: Instant,
    ) -> Result<(), Failure> {
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let after = dashboard::span(millis);
        session.out.one(&service, || match service {
            Some(ServiceInfo {
                name,
                healthy,
                replicas,
                ..
            }) => format!("{name}: {healthy} of {replicas} healthy after {after}"),
            None => format!("{}: gone after {after}", self.service),
        })
    }

    fn too_late(&self, patience: Duration, last: &str) -> Failure {
        let millis = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let what = format!(
            "{} is not as wished after {}: {last}",
            self.service,
            dashboard::span(millis)
        );
        Failure::new(Exit::Timeout, what).hint(format!("orrery explain {}", self.service))
    }
}
