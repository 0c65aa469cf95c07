//! The agent of a machine that scheduling does not run on: pulls assignments, makes them so.
//!
//! It may be ended and started again at any time: what it runs goes on running, and the next one
//! takes it over.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use chassis::{App, Exit, Failure, Setup};
use model::NodeId;
use rpc::Channel;
use scheduling::SchedulingClient;
use scheduling::agent::place::Place;
use scheduling::agent::{Agent, Artifacts, Progress, Settings, Surroundings, link};
use tokio::sync::{mpsc, watch};

/// Where scheduling listens unless something else is said.
const SCHEDULING: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 10_900);
/// Reports under way to scheduling.
const REPORTS_QUEUED: usize = 256;

chassis::settings! {
    /// What an agent can be told.
    struct Config {
        /// What this machine is called; every agent of a fleet has another name.
        node: String = String::new(),
        /// Where scheduling listens.
        scheduling: SocketAddr = SCHEDULING,
    }
}

fn main() -> ExitCode {
    chassis::Service::new("agent", "127.0.0.1:0", env!("CARGO_PKG_VERSION")).run(start)
}

async fn start(setup: Setup<Config>) -> Result<App, Failure> {
    let node = NodeId::new(setup.settings.node.clone()).map_err(|e| {
        Failure::new(Exit::Config, e.to_string()).with_hint("`--node` names this machine")
    })?;
    let unusable = |e: &dyn std::error::Error| {
        let causes = std::iter::successors(e.source(), |cause| cause.source());
        let text = causes.fold(e.to_string(), |text, cause| format!("{text}: {cause}"));
        Failure::new(Exit::Unavailable, text)
    };
    let (own, logs) = (format!("agent-{node}"), format!("agent-{node}/logs"));
    let place = Place::make(&setup.common.data, &own, &logs).map_err(|e| unusable(&e))?;
    let lock = place.lock().map_err(|e| unusable(&e))?;
    let runtime = place.start_runtime().map_err(|e| unusable(&e))?;
    let artifacts = Artifacts::new(&std::env::current_exe()?, Progress::Quiet);
    let agent = Agent::start(Settings {
        node: node.clone(),
        journal: place.journal(),
        surroundings: Surroundings {
            discovery: Some(setup.common.discovery),
            data_dir: place.data.clone(),
            credentials: None,
        },
        runtime: Arc::new(runtime),
        artifacts: Arc::new(artifacts),
    });
    let agent = agent.await.map_err(|e| unusable(&e))?;
    tracing::info!(%node, adopted = agent.adopted(), "agent");
    let client = SchedulingClient::new(Channel::to(setup.settings.scheduling));
    let (told, assignments) = watch::channel(None);
    let (reports, reported) = mpsc::channel(REPORTS_QUEUED);
    tokio::spawn(link::pull(client.clone(), node.clone(), told));
    tokio::spawn(link::push(client, node, reported));
    tokio::spawn(async move {
        agent.run(assignments, reports).await;
        drop(lock);
    });
    Ok(App::new(setup.server()))
}
