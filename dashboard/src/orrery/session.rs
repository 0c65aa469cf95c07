//! What a verb runs in: the fleet, where to write, how long to wait.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::scheduling::{
    InstanceInfo, ListInstancesArgs, ListInstancesReply, SchedulingClient, ServiceInfo, reason,
};
use client::{Fleet, Service};
use rpc::{CallOptions, Code, Empty, Error};

use crate::failure::Failure;
use crate::names;
use crate::output::Out;

/// What a verb runs in.
#[derive(Debug)]
pub(crate) struct Session {
    /// The fleet.
    pub(crate) fleet: Fleet,
    /// Where data and words go.
    pub(crate) out: Out,
    /// How long to wait, if the operator said so.
    pub(crate) timeout: Option<Duration>,
}

impl Session {
    /// Waits for scheduling's answer; a failure says where it was looked for.
    pub(crate) async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        call.await.map_err(|error| self.failure(error))
    }

    /// As [`Self::ask`]; if there is no such service, suggests one that is called nearly so.
    pub(crate) async fn ask_about<T>(
        &self,
        service: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        match call.await {
            Ok(value) => Ok(value),
            Err(error) => Err(self.failure_about(service, error).await),
        }
    }

    /// The failure that an error of scheduling about `service` amounts to.
    pub(crate) async fn failure_about(&self, service: &str, error: Error) -> Failure {
        let unknown = error.reason == reason::UNKNOWN_SERVICE;
        let failure = self.failure(error);
        if !unknown {
            return failure;
        }
        // The failure is the answer; a list that cannot be had only costs the suggestion.
        let services = self.services().await.unwrap_or_default();
        let names = services.iter().map(|s| s.name.as_str());
        failure.meant(names::closest(service, names))
    }

    /// Scheduling's typed client, within the operator's time.
    pub(crate) fn scheduling(&self) -> SchedulingClient {
        self.fleet.scheduling()
    }

    /// The failure that an error of scheduling amounts to.
    pub(crate) fn failure(&self, error: Error) -> Failure {
        self.fleet.located(error).into()
    }

    /// Every service.
    pub(crate) async fn services(&self) -> Result<Vec<ServiceInfo>, Failure> {
        let reply = self.ask(self.scheduling().list_services(&Empty {})).await?;
        Ok(reply.services)
    }

    /// Instances: those of one service or all, with those that have ended or without.
    pub(crate) async fn instances(
        &self,
        service: Option<&str>,
        ended: bool,
    ) -> Result<ListInstancesReply, Failure> {
        let args = ListInstancesArgs {
            service: service.map(str::to_owned),
            ended,
        };
        let call = self.scheduling();
        let call = call.list_instances(&args);
        match service {
            Some(service) => self.ask_about(service, call).await,
            None => self.ask(call).await,
        }
    }

    /// The one instance that is meant by a beginning of its id.
    pub(crate) async fn instance(&self, meant: &str) -> Result<InstanceInfo, Failure> {
        let all = self.instances(None, true).await?.instances;
        names::one(meant, &all).cloned()
    }

    /// A service as it is, or the full id of the instance that is meant.
    pub(crate) async fn target(&self, meant: &str) -> Result<String, Failure> {
        if meant.contains('.') {
            return self.instance(meant).await.map(|instance| instance.id);
        }
        Ok(meant.to_owned())
    }

    /// A service to be called in JSON: by its name, or at an address.
    pub(crate) async fn service(
        &self,
        name: &str,
        address: Option<SocketAddr>,
    ) -> Result<Service, Failure> {
        if let Some(address) = address {
            return Ok(self.fleet.service_at(name, address).await?);
        }
        let error = match self.fleet.service(name).await {
            Ok(service) => return Ok(service),
            Err(error) => error,
        };
        let missing = error.code == Code::NotFound;
        let failure = Failure::from(error);
        let names = match missing {
            true => self.known().await.unwrap_or_default(),
            false => Vec::new(),
        };
        let others = names.iter().map(String::as_str).filter(|n| *n != name);
        Err(failure.meant(names::closest(name, others)))
    }

    /// The names of all services that can be called.
    pub(crate) async fn known(&self) -> Result<Vec<String>, Failure> {
        Ok(self.fleet.names().await?)
    }

    /// Options of a call in which the operator's time bounds a stream too.
    pub(crate) fn options(&self) -> CallOptions {
        CallOptions {
            timeout: self.timeout,
            ..CallOptions::default()
        }
    }

    /// Whether the error says that the time is over which the operator gave for following
    /// something: its end then, and no failure.
    pub(crate) fn is_end_of_following(&self, error: &Error) -> bool {
        self.timeout.is_some() && error.code == Code::DeadlineExceeded
    }

    /// This moment, in milliseconds since the Unix epoch.
    pub(crate) fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }
}
