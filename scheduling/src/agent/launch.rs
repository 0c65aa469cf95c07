//! From an assignment to a launch.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use model::{Failure, InstanceId, ServiceSpec};
use supervision::ports::{self, PortTaken};
use supervision::{Launch, SpawnError};

use super::artifacts::{BuildError, Program};
use super::credentials::Credentials;
use super::secrets::{self, Secrets};

/// What every instance of this machine is told, beside what the runtime says (`PORT`,
/// `NOTIFY_SOCKET`, `ORRERY_INSTANCE`).
#[derive(Clone)]
pub struct Surroundings {
    /// The IP address that instances listen on: `ORRERY_HOST`.
    pub host: IpAddr,
    /// Where discovery is: `ORRERY_DISCOVERY`.
    pub discovery: Option<SocketAddr>,
    /// Under which directory services keep their state: `ORRERY_DATA`.
    pub data_dir: PathBuf,
    /// What makes each a token: `ORRERY_CREDENTIAL`; without it they ask nobody for one.
    pub credentials: Option<Arc<Credentials>>,
    /// Where it gets the secrets that specs name; without it what names one does not start.
    pub secrets: Option<Secrets>,
}

impl Surroundings {
    /// Where an instance with this port listens.
    pub(super) fn address(&self, port: Option<u16>) -> Option<SocketAddr> {
        port.map(|port| SocketAddr::new(self.host, port))
    }

    /// What to start. A spec's own variables win over ours: whoever writes them means it.
    pub(super) async fn launch(
        &self,
        id: InstanceId,
        spec: &ServiceSpec,
        port: Option<u16>,
        program: Program,
    ) -> Result<Launch, Failure> {
        let mut env = self.trust(&id).await?;
        env.insert("ORRERY_HOST".to_owned(), self.host.to_string());
        if let Some(discovery) = self.discovery {
            env.insert("ORRERY_DISCOVERY".to_owned(), discovery.to_string());
        }
        let data_dir = self.data_dir.to_string_lossy().into_owned();
        env.insert("ORRERY_DATA".to_owned(), data_dir);
        env.extend(spec.env.clone());
        let secrets = secrets::of(self.secrets.as_ref(), &id, spec).await?;
        Ok(Launch {
            id,
            program: program.path,
            args: program.args,
            env,
            secrets,
            working_dir: spec.working_dir.clone().map(PathBuf::from),
            limits: spec.limits.clone(),
            port,
        })
    }

    /// Whom an instance believes, and what it shows.
    async fn trust(&self, id: &InstanceId) -> Result<BTreeMap<String, String>, Failure> {
        let text = |name: &str, value: String| (name.to_owned(), value);
        let Some(credentials) = &self.credentials else {
            return Ok(BTreeMap::from([text("ORRERY_AUTH", "off".to_owned())]));
        };
        let path = credentials
            .write(id)
            .await
            .map_err(|e| Failure::NotStarted {
                why: chain(&e),
                retryable: true,
            })?;
        Ok(BTreeMap::from([
            text("ORRERY_FLEET_KEY", credentials.public_key()),
            text("ORRERY_CREDENTIAL", path.to_string_lossy().into_owned()),
        ]))
    }
}

/// Whether the port can be had. Who has it is looked up only when it cannot.
pub(super) fn check_port(address: Option<SocketAddr>) -> Result<(), Failure> {
    let Some(address) = address else {
        return Ok(());
    };
    ports::check_free(address).map_err(|e| match e {
        PortTaken::Taken { port, owner } => Failure::PortTaken {
            port,
            owner: owner.map_or_else(|| "an unknown process".to_owned(), |o| o.to_string()),
        },
        PortTaken::Unusable { .. } => Failure::NotStarted {
            why: chain(&e),
            retryable: false,
        },
    })
}

pub(super) fn not_built(error: &BuildError) -> Failure {
    Failure::NotStarted {
        why: error.to_string(),
        retryable: false,
    }
}

pub(super) fn not_spawned(error: &SpawnError) -> Failure {
    Failure::NotStarted {
        why: chain(error),
        retryable: error.is_retryable(),
    }
}

/// An error with what caused it, and what caused that.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
