//! The fleet, from where a face stands.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use configuration::ConfigurationClient;
use discovery::{DiscoveryClient, QueryArgs, Which};
use passes::PassesClient;
use pipelines::PipelinesClient;
use release::ReleaseClient;
use resource_scheduler::ResourceSchedulerClient;
use rpc::{CallOptions, Channel, Code, Credential, Empty, Endpoint, Error, Retry};
use scheduling::{InstanceState, ListInstancesArgs, SchedulingClient, reason};
use security::SecurityClient;
use tokio::sync::watch;

use crate::{ADDRESS_VARIABLE, Addresses, Service};

/// How long discovery may take to say where scheduling is.
const DISCOVERY_PATIENCE: Duration = Duration::from_millis(500);
/// [`scheduling::SYSTEM_ADDRESS`], as a value.
const DEFAULT_SCHEDULING: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 10_900);

/// A handle on the fleet; it connects when it is first used.
#[derive(Clone, Debug)]
pub struct Fleet {
    addresses: Addresses,
    options: CallOptions,
    scheduling: Channel,
    discovery: Channel,
    credential: Option<Credential>,
}

impl Fleet {
    /// A handle on the fleet at these addresses, whose calls have these options.
    #[must_use]
    pub fn new(addresses: Addresses, options: CallOptions) -> Self {
        Self {
            addresses,
            options,
            scheduling: Channel::to(addresses.scheduling),
            discovery: Channel::to(addresses.discovery),
            credential: None,
        }
    }

    /// The same fleet, whose calls show this credential and not the process's own.
    #[must_use]
    pub fn with_credential(mut self, credential: &Credential) -> Self {
        self.scheduling = self.scheduling.with_credential(credential.clone());
        self.discovery = self.discovery.with_credential(credential.clone());
        self.credential = Some(credential.clone());
        self
    }

    /// Where scheduling announced itself to discovery; its own address while nobody can be asked
    /// or nobody is announced. For programs of the fleet, which are told where discovery is.
    pub async fn scheduling_address(discovery: SocketAddr) -> SocketAddr {
        let options = CallOptions {
            timeout: Some(DISCOVERY_PATIENCE),
            ..CallOptions::default()
        };
        let client = DiscoveryClient::new(Channel::to(discovery)).with(options);
        let args = QueryArgs {
            service: scheduling::SYSTEM_NAME.to_owned(),
            which: Which::All,
        };
        let known = client.query(&args).await.ok();
        let announced = known.and_then(|reply| reply.instances.first()?.address());
        announced.unwrap_or(DEFAULT_SCHEDULING)
    }

    /// Where it looks for the fleet.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Asks scheduling, within the handle's own time.
    #[must_use]
    pub fn scheduling(&self) -> SchedulingClient {
        SchedulingClient::new(self.scheduling.clone()).with(self.options.clone())
    }

    /// Asks scheduling for a stream, which has no end but its own.
    #[must_use]
    pub fn scheduling_streams(&self) -> SchedulingClient {
        SchedulingClient::new(self.scheduling.clone())
    }

    /// Asks passes, within the handle's own time.
    ///
    /// # Errors
    /// `NotFound` if nobody serves it; otherwise why nobody could be asked.
    pub async fn passes(&self) -> Result<PassesClient, Error> {
        let client = self.passes_streams().await?;
        Ok(client.with(self.options.clone()))
    }

    /// Asks passes for a stream, which has no end but its own.
    ///
    /// # Errors
    /// As [`passes`](Self::passes).
    pub async fn passes_streams(&self) -> Result<PassesClient, Error> {
        Ok(PassesClient::new(self.channel(passes::SYSTEM_NAME).await?))
    }

    /// Asks configuration, within the handle's own time.
    ///
    /// # Errors
    /// As [`passes`](Self::passes).
    pub async fn configuration(&self) -> Result<ConfigurationClient, Error> {
        let client = self.configuration_streams().await?;
        Ok(client.with(self.options.clone()))
    }

    /// Asks configuration for a stream, which has no end but its own.
    ///
    /// # Errors
    /// As [`passes`](Self::passes).
    pub async fn configuration_streams(&self) -> Result<ConfigurationClient, Error> {
        let channel = self.channel(configuration::SYSTEM_NAME).await?;
        Ok(ConfigurationClient::new(channel))
    }

    /// Asks pipelines, within the handle's own time.
    ///
    /// # Errors
    /// As [`passes`](Self::passes).
    pub async fn pipelines(&self) -> Result<PipelinesClient, Error> {
        let channel = self.channel(pipelines::SYSTEM_NAME).await?;
        Ok(PipelinesClient::new(channel).with(self.options.clone()))
    }

    /// Asks release, within the handle's own time.
    ///
    /// # Errors
    /// As [`passes`](Self::passes).
    pub async fn release(&self) -> Result<ReleaseClient, Error> {
        let client = self.release_streams().await?;
        Ok(client.with(self.options.clone()))
    }

    /// Asks release for a stream, which has no end but its own.
    ///
    /// # Errors
    /// As [`passes`](Self::passes).
    pub async fn release_streams(&self) -> Result<ReleaseClient, Error> {
        Ok(ReleaseClient::new(
            self.channel(release::SYSTEM_NAME).await?,
        ))
    }

    /// Asks the resource scheduler, within the handle's own time.
    ///
    /// # Errors
    /// As [`passes`](Self::passes).
    pub async fn resource_scheduler(&self) -> Result<ResourceSchedulerClient, Error> {
        let channel = self.channel(resource_scheduler::SYSTEM_NAME).await?;
        Ok(ResourceSchedulerClient::new(channel).with(self.options.clone()))
    }

    /// Asks security, within the handle's own time.
    ///
    /// # Errors
    /// As [`passes`](Self::passes).
    pub async fn security(&self) -> Result<SecurityClient, Error> {
        let client = SecurityClient::new(self.channel(security::SYSTEM_NAME).await?);
        Ok(client.with(self.options.clone()))
    }

    /// Finds a service by name and asks it what it can do. Discovery knows who serves what; while
    /// it is away, scheduling knows where the instances are that it started.
    ///
    /// # Errors
    /// `NotFound` if nobody serves that name; otherwise why nobody could be asked.
    pub async fn service(&self, name: &str) -> Result<Service, Error> {
        let channel = match name {
            scheduling::SYSTEM_NAME => self.scheduling.clone(),
            discovery::SYSTEM_NAME => self.discovery.clone(),
            _ => self.channel(name).await?,
        };
        let found = Service::through(name, channel, self.options.clone()).await;
        found.map_err(|error| match name {
            scheduling::SYSTEM_NAME => self.located(error),
            _ => error,
        })
    }

    /// Asks the server at `address` what it can do. `name` is for messages.
    ///
    /// # Errors
    /// Why it could not be asked.
    pub async fn service_at(&self, name: &str, address: SocketAddr) -> Result<Service, Error> {
        Service::at(name, address, self.options.clone()).await
    }

    /// The names of all services that can be called now.
    ///
    /// # Errors
    /// Neither discovery nor scheduling could be asked.
    pub async fn names(&self) -> Result<Vec<String>, Error> {
        let discovery = DiscoveryClient::new(self.discovery.clone()).with(self.options.clone());
        let away = match discovery.list(&Empty {}).await {
            Ok(list) => return Ok(list.services.into_iter().map(|s| s.service).collect()),
            Err(error) => error,
        };
        match self.scheduling().list_services(&Empty {}).await {
            Ok(list) => Ok(list.services.into_iter().map(|s| s.name).collect()),
            Err(error) => Err(self.nobody_to_ask(away, error)),
        }
    }

    async fn channel(&self, name: &str) -> Result<Channel, Error> {
        let discovery = DiscoveryClient::new(self.discovery.clone()).with(self.options.clone());
        let args = QueryArgs {
            service: name.to_owned(),
            which: Which::All,
        };
        let endpoints: Vec<Endpoint> = match discovery.query(&args).await {
            Ok(reply) => reply.instances.iter().filter_map(endpoint).collect(),
            Err(away) => self.running(name, away).await?,
        };
        if endpoints.is_empty() {
            let message = format!("no instance of {name} can be called");
            return Err(Error::not_found("no-instance", message).with_hint(format!(
                "`orrery explain {name}` says why; `orrery describe` lists what can be called"
            )));
        }
        // What was found is all that a short-lived caller needs: the sender may go.
        let (_, receiver) = watch::channel(Arc::from(endpoints));
        let channel = Channel::balanced(name, receiver);
        Ok(match &self.credential {
            Some(credential) => channel.with_credential(credential.clone()),
            None => channel,
        })
    }

    /// Where scheduling knows healthy instances of the service to be.
    async fn running(&self, name: &str, away: Error) -> Result<Vec<Endpoint>, Error> {
        let args = ListInstancesArgs {
            service: Some(name.to_owned()),
            ended: false,
        };
        let list = match self.scheduling().list_instances(&args).await {
            Ok(list) => list,
            Err(error) if error.reason == reason::UNKNOWN_SERVICE => return Err(error),
            Err(error) => return Err(self.nobody_to_ask(away, error)),
        };
        let healthy = |i: &&scheduling::InstanceInfo| i.state == InstanceState::Healthy;
        let address = |i: &scheduling::InstanceInfo| i.address.as_ref()?.parse().ok();
        let addresses = list.instances.iter().filter(healthy).filter_map(address);
        Ok(addresses
            .map(|address| Endpoint { address, weight: 1 })
            .collect())
    }

    fn nobody_to_ask(&self, away: Error, error: Error) -> Error {
        let at = self.addresses.discovery;
        let twice = format!("failed to connect to {at}: ");
        let away = away.message.strip_prefix(&twice).unwrap_or(&away.message);
        let mut error = self.located(error);
        let message = std::mem::take(&mut error.message);
        error.message = format!("discovery cannot be reached at {at}: {away}; {message}");
        error
    }

    /// The same error; if it says that scheduling cannot be reached, with where it was looked for
    /// and how to start it.
    #[must_use]
    pub fn located(&self, error: Error) -> Error {
        if is_silence(&error) {
            let at = self.addresses.scheduling;
            let message = format!("scheduling at {at} does not answer in time");
            return Error::new(error.code, "scheduling-silent", message)
                .with_hint("it may be building what its fleet needs: its terminal shows that");
        }
        if !is_unreachable(&error) {
            return error;
        }
        let Error { message, retry, .. } = error;
        let at = self.addresses.scheduling;
        let twice = format!("failed to connect to {at}: ");
        let why = message.strip_prefix(&twice).unwrap_or(&message);
        let message = format!("scheduling cannot be reached at {at}: {why}");
        Error::new(Code::Unavailable, "scheduling-unreachable", message)
            .with_retry(retry)
            .with_hint(format!(
                "start the fleet with `cargo run -p scheduling`\n\
                 if it runs elsewhere, say where: --scheduling ADDRESS, or {ADDRESS_VARIABLE}"
            ))
    }
}

/// Where an instance may be called. One of weight 0 keeps calls away from itself.
fn endpoint(instance: &discovery::Instance) -> Option<Endpoint> {
    let weight = instance.registration.weight;
    let address = instance.address()?;
    (weight > 0).then_some(Endpoint { address, weight })
}

/// Whether the time was up before anything could be sent: a call that may have been made ends in
/// an error that may be repeated if the call may.
fn is_silence(error: &Error) -> bool {
    error.code == Code::DeadlineExceeded && error.retry == Retry::Never
}

/// Whether the error says that there is nobody to talk to, not what somebody answered.
fn is_unreachable(error: &Error) -> bool {
    let silent = ["cannot-connect", "connection-lost", "handshake"];
    error.code == Code::Unavailable && silent.contains(&error.reason.as_ref())
}

#[cfg(test)]
mod tests {
    use super::DEFAULT_SCHEDULING;

    #[test]
    fn scheduling_is_looked_for_where_it_listens_by_default() {
        assert_eq!(Ok(DEFAULT_SCHEDULING), scheduling::SYSTEM_ADDRESS.parse(),);
    }
}
