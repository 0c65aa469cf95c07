//! The agent of a machine that scheduling does not run on: pulls assignments, makes them so.
//!
//! It may be ended and started again at any time: what it runs goes on running, and the next one
//! takes it over.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use chassis::{App, Exit, Failure, Setup};
use model::NodeId;
use rpc::{Channel, Credential};
use scheduling::SchedulingClient;
use scheduling::agent::place::Place;
use scheduling::agent::{Agent, Artifacts, Progress, Settings, Surroundings, Told, chain, link};
use tokio::sync::{mpsc, watch};

/// Where scheduling listens unless something else is said.
const SCHEDULING: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 10_900);
/// Reports under way to scheduling.
const REPORTS_QUEUED: usize = 256;

chassis::settings! {
    /// What an agent can be told.
    struct Config {
        /// What this machine is called; every agent of a fleet has another name.
        node: String = String::new(),
        /// Where scheduling listens. Its discovery is looked for beside it, unless `discovery`
        /// says otherwise.
        join: SocketAddr = SCHEDULING,
        /// The token that lets it join; better in the environment, or in a file (`credential`).
        token: String = String::new(),
        /// What this machine is, as in `disk=ssd,gpu=a100`.
        labels: String = String::new(),
        /// What keeps work away that does not tolerate it, as in `dedicated=passes`.
        taints: String = String::new(),
        /// What it has beside what is found, as in `gpu=2,antenna=1`.
        resources: String = String::new(),
        /// Which machines are near.
        region: String = String::new(),
    }
}

fn main() -> ExitCode {
    chassis::Service::new("agent", "127.0.0.1:0", env!("CARGO_PKG_VERSION")).run(start)
}

async fn start(setup: Setup<Config>) -> Result<App, Failure> {
    let config = &setup.settings;
    let node = NodeId::new(config.node.clone()).map_err(|e| {
        Failure::new(Exit::Config, e.to_string()).with_hint("`--node` names this machine")
    })?;
    let unusable = |e: &dyn std::error::Error| Failure::new(Exit::Unavailable, chain(e));
    if !config.token.is_empty() {
        Credential::new(config.token.clone()).install();
    }
    let (own, logs) = (format!("agent-{node}"), format!("agent-{node}/logs"));
    let place = Place::make(&setup.common.data, &own, &logs).map_err(|e| unusable(&e))?;
    let lock = place.lock().map_err(|e| unusable(&e))?;
    let runtime = place.start_runtime().map_err(|e| unusable(&e))?;
    let host = setup.common.host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let facts = told(&setup).facts(host, &place.data);
    let facts = facts.map_err(|why| Failure::new(Exit::Config, why))?;
    let client = SchedulingClient::new(Channel::to(config.join));
    let folder = place.own.join("credentials");
    let credentials = link::credentials(&client, &node, &folder)
        .await
        .map(Arc::new);
    let agent = Agent::start(Settings {
        node: node.clone(),
        journal: place.journal(),
        surroundings: Surroundings {
            host,
            discovery: Some(discovery(&setup)),
            data_dir: place.data.clone(),
            credentials: credentials.clone(),
            secrets: None,
        },
        runtime: Arc::new(runtime),
        artifacts: Arc::new(Artifacts::new(&std::env::current_exe()?, Progress::Quiet)),
    });
    let agent = agent.await.map_err(|e| unusable(&e))?;
    tracing::info!(%node, adopted = agent.adopted(), "agent");
    if let Some(credentials) = credentials {
        tokio::spawn(credentials.keep(agent.processes()));
    }
    let (told, assignments) = watch::channel(None);
    let (reports, reported) = mpsc::channel(REPORTS_QUEUED);
    tokio::spawn(link::pull(client.clone(), node.clone(), facts, told));
    tokio::spawn(link::push(client, node, reported));
    tokio::spawn(async move {
        agent.run(assignments, reports).await;
        drop(lock);
    });
    Ok(App::new(setup.server()))
}

fn told(setup: &Setup<Config>) -> Told {
    let config = &setup.settings;
    Told {
        labels: config.labels.clone(),
        taints: config.taints.clone(),
        resources: config.resources.clone(),
        zone: setup.common.zone.clone(),
        region: config.region.clone(),
    }
}

/// The fleet's discovery: on the machine that scheduling is on, unless somebody says otherwise.
fn discovery(setup: &Setup<Config>) -> SocketAddr {
    let mut discovery = setup.common.discovery;
    if discovery.ip().is_loopback() {
        discovery.set_ip(setup.settings.join.ip());
    }
    discovery
}
