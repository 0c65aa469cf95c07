//! The secrets that a spec names, fetched when an instance starts and kept nowhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use discovery::{DiscoveryClient, QueryArgs, Which};
use model::{Failure, InstanceId, ServiceSpec};
use rpc::{CallOptions, Channel, Error};
use security::{GetSecretArgs, SecurityClient};
use supervision::SecretValue;

/// How long discovery, and then security, may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Gets secrets from the fleet's security, as whoever this process is.
#[derive(Clone, Copy, Debug)]
pub struct Secrets {
    discovery: SocketAddr,
}

impl Secrets {
    /// Asks this discovery where security is.
    #[must_use]
    pub fn new(discovery: SocketAddr) -> Self {
        Self { discovery }
    }

    async fn security(&self) -> Result<SecurityClient, Error> {
        let client = DiscoveryClient::new(Channel::to(self.discovery)).with(patient());
        let args = QueryArgs {
            service: security::SYSTEM_NAME.to_owned(),
            which: Which::All,
        };
        let known = client.query(&args).await?;
        let address = known.instances.iter().find_map(|i| i.address());
        let address = address.ok_or_else(|| {
            Error::not_found("no-instance", "no instance of security can be called")
        })?;
        Ok(SecurityClient::new(Channel::to(address)).with(patient()))
    }
}

fn patient() -> CallOptions {
    CallOptions {
        timeout: Some(PATIENCE),
        ..CallOptions::default()
    }
}

/// The values of what a spec names, by the name that the program knows them by.
pub(super) async fn of(
    secrets: Option<&Secrets>,
    id: &InstanceId,
    spec: &ServiceSpec,
) -> Result<BTreeMap<String, SecretValue>, Failure> {
    let mut values = BTreeMap::new();
    if spec.secrets.is_empty() {
        return Ok(values);
    }
    let Some(secrets) = secrets else {
        // They would cross the network for everybody to see.
        return Err(Failure::NotStarted {
            why: "secrets are handed over on the machine of scheduling only; pin the service \
                  there (`node`)"
                .to_owned(),
            retryable: false,
        });
    };
    let security = secrets.security().await;
    let security = security.map_err(|e| missing("security cannot be asked for secrets", &e))?;
    for (name, secret) in &spec.secrets {
        let args = GetSecretArgs {
            name: secret.clone(),
            reader: id.to_string(),
        };
        let got = security.get_secret(&args).await;
        let got = got.map_err(|e| missing(&format!("secret `{secret}` is not given"), &e))?;
        values.insert(name.clone(), SecretValue::new(got.value));
    }
    Ok(values)
}

/// It may be put, or security may come back, before the next attempt.
fn missing(what: &str, error: &Error) -> Failure {
    Failure::NotStarted {
        why: format!("{what}: {}", error.message),
        retryable: true,
    }
}
