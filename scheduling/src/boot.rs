//! From settings to a running control plane.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chassis::{App, Exit, Failure, Setup};
use model::{Artifact, NodeFacts, NodeId, NodeStatus, ServiceName, ServiceSpec};
use reconciliation::{Command, Snapshot};
use scheduling::SchedulingDispatch;
use scheduling::agent::place::Place;
use scheduling::agent::{Agent, Artifacts, Progress, Secrets, Settings, Surroundings};
use store::{EmbeddedStore, OpenError, Options};
use supervision::{Enforcement, Runtime};
use tokio::sync::mpsc;

use crate::announce::{Booted, Registry};
use crate::brain::{Brain, Handle, MemoryError};
use crate::config::Config;
use crate::defaults::{self, Takeover};
use crate::handlers::{Handlers, Heard, Leads, render};
use crate::screen::Screen;
use crate::shutdown::{self, Remains};
use crate::trust;

/// The service that says where instances run.
const PLACER: &str = "resource-scheduler";
/// Reports under way from the agent to the control loop.
const REPORTS_QUEUED: usize = 256;

/// Recalls the state, takes over what runs, and keeps it all as wished from then on.
pub(crate) async fn boot(setup: Setup<Config>, booted: Booted) -> Result<App, Failure> {
    let config = setup.settings.clone();
    let local = local_node(&config)?;
    let place = Place::make(&setup.common.data, "scheduling", "logs");
    let place = place.map_err(|e| failed(Exit::Unavailable, &e))?;
    let (mut brain, handle, before) = recall(&place, &config, &local).await?;
    let fleet = defaults::fleet(config.fleet.as_deref(), config.port_offset, &local)?;
    let variable = |name: &str| std::env::var(name).ok();
    let takeover = defaults::take_over(fleet, &before, brain.snapshot(), variable)?;
    let (host, facts) = introduction(&setup, &place)?;
    take_over(&mut brain, takeover, local.clone(), facts).await?;
    let discovery = discovery_of(brain.snapshot(), host);
    let discovery_at = discovery.as_ref().map(|(_, at)| *at);
    let discovery_at = discovery_at.unwrap_or(setup.common.discovery);
    setup.discovery_is_at(discovery_at);
    let trust = trust::establish(&setup, &place)?;
    let credentials = trust.as_ref().map(|trust| Arc::clone(&trust.credentials));
    let runtime = place.start_runtime();
    let runtime = runtime.map_err(|e| failed(Exit::Software, &e))?;
    let limits = limits(&runtime.limiter().enforcement());
    let runtime: Arc<dyn Runtime> = Arc::new(runtime);
    let artifacts = Arc::new(Artifacts::new(&std::env::current_exe()?, Progress::Shown));
    let agent = Agent::start(Settings {
        node: local.clone(),
        journal: place.journal(),
        surroundings: Surroundings {
            host,
            discovery: Some(discovery_at),
            data_dir: place.data.clone(),
            credentials: credentials.clone(),
            secrets: Some(Secrets::new(discovery_at)),
        },
        runtime: Arc::clone(&runtime),
        artifacts: Arc::clone(&artifacts),
    });
    let agent = agent.await.map_err(|e| failed(Exit::Software, &e))?;
    let (adopted, processes) = (agent.adopted(), agent.processes());
    if adopted == 0 && config.build {
        build(&artifacts, brain.snapshot()).await;
    }
    if let Some(credentials) = credentials {
        tokio::spawn(credentials.keep(processes.clone()));
    }
    let signer = trust.as_ref().map(|trust| Arc::clone(&trust.signer));
    let shown = trust.and_then(|trust| trust.admin_token);
    let screen = Screen::new(setup.address, adopted, shown, brain.snapshot());
    run_brain(brain);
    run_agent(agent, &handle, local.clone()).await?;
    screen.follow(handle.clone());
    let _ = booted.set(Registry {
        brain: handle.clone(),
        discovery,
    });
    let remains = Remains::new(processes.clone(), Arc::clone(&runtime));
    let handlers = Handlers {
        brain: handle.clone(),
        artifacts,
        runtime,
        processes,
        log_dir: place.logs,
        local,
        signer,
        heard: Heard::new(config.node_patience),
        leads: Leads::new(config.lead_ttl),
        limits,
    };
    add_metrics(&setup, &handle);
    let server = setup.server().service(SchedulingDispatch::new(handlers));
    Ok(App::new(server).on_stop(move |reason| shutdown::stop_fleet(reason, handle, remains)))
}

fn add_metrics(setup: &Setup<Config>, brain: &Handle) {
    let feed = brain.feed().clone();
    setup.add_metrics(move || feed.metrics());
}

/// Where the instances of this machine listen, and what it says of itself.
fn introduction(setup: &Setup<Config>, place: &Place) -> Result<(IpAddr, NodeFacts), Failure> {
    let host = setup.common.host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let told = setup.settings.told(&setup.common.zone);
    let facts = told.facts(host, &place.data);
    let facts = facts.map_err(|why| Failure::new(Exit::Config, why))?;
    Ok((host, facts))
}

fn failed(exit: Exit, error: &dyn std::error::Error) -> Failure {
    Failure::new(exit, chain(error))
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn local_node(config: &Config) -> Result<NodeId, Failure> {
    if !matches!(config.place.as_str(), "best" | "local" | "spread") {
        let message = format!("place: {:?} is no place", config.place);
        return Err(
            Failure::new(Exit::Config, message).with_hint("say `best`, `local` or `spread`")
        );
    }
    NodeId::new(config.node.clone()).map_err(|e| failed(Exit::Config, &e))
}

type Recalled = (
    Brain<EmbeddedStore>,
    Handle,
    std::collections::BTreeMap<String, ServiceSpec>,
);

async fn recall(place: &Place, config: &Config, local: &NodeId) -> Result<Recalled, Failure> {
    let store = EmbeddedStore::open(place.own.join("store"), Options::default());
    let store = store.map_err(|e| match &e {
        OpenError::Held { pid, command, .. } => {
            let message = format!(
                "the fleet in {} is run by process {pid} ({command}) already",
                place.data.display()
            );
            let hint = format!(
                "use that one (`orrery status`), end it (`kill {pid}`), or start this one with \
                 another data directory (`--data`)"
            );
            Failure::new(Exit::Unavailable, message).with_hint(hint)
        }
        _ => failed(Exit::Unavailable, &e),
    })?;
    let pinned = (config.place != "spread").then(|| local.clone());
    let seed = u64::from(std::process::id());
    let mut snapshot = Snapshot::new(pinned, seed);
    if config.place == "best" {
        snapshot.placer = ServiceName::new(PLACER).ok();
    }
    let lost_after_ms = config.lost_after.as_millis();
    snapshot.lost_after_ms = u64::try_from(lost_after_ms).unwrap_or(u64::MAX);
    let recalled = Brain::recall(store, snapshot).await;
    recalled.map_err(|e| failed(Exit::Software, &e))
}

async fn take_over(
    brain: &mut Brain<EmbeddedStore>,
    takeover: Takeover,
    local: NodeId,
    facts: NodeFacts,
) -> Result<(), Failure> {
    let mut commands = takeover.commands;
    // Who was connected to an earlier scheduling is not connected to this one yet.
    let others = brain.snapshot().nodes.values();
    let others = others.filter(|node| node.id != local && node.status == NodeStatus::Ready);
    commands.extend(others.map(|node| Command::SetNode {
        node: node.id.clone(),
        status: NodeStatus::Away,
    }));
    commands.push(Command::SetNode {
        node: local.clone(),
        status: NodeStatus::Ready,
    });
    commands.push(Command::DescribeNode {
        node: local,
        facts: Box::new(facts),
    });
    let taken = brain.bootstrap(commands, &takeover.taken).await;
    let taken = taken.map_err(|e| failed(Exit::Software, &e))?;
    taken.map_err(|e| failed(Exit::Config, &e))
}

/// The fleet's discovery, and where its first instance listens.
fn discovery_of(snapshot: &Snapshot, host: IpAddr) -> Option<(ServiceName, SocketAddr)> {
    let name = ServiceName::new(discovery::SYSTEM_NAME).ok()?;
    let port = *snapshot.specs.get(&name)?.ports.well_known.first()?;
    Some((name, SocketAddr::new(host, port)))
}

/// What can be enforced on this machine, in a sentence.
fn limits(can: &Enforcement) -> String {
    let all = [
        ("cpu", &can.cpu),
        ("memory", &can.memory),
        ("pids", &can.pids),
    ];
    let word = |(what, works): (&str, &Result<(), String>)| match works {
        Ok(()) => format!("{what}: enforced"),
        Err(why) => format!("{what}: refused ({why})"),
    };
    all.map(word).join("; ")
}

/// Builds what is missing or too old, all at once. What cannot be built fails when it is started,
/// and the rest of the fleet boots.
async fn build(artifacts: &Artifacts, snapshot: &Snapshot) {
    let specs = snapshot.specs.values().filter(|spec| spec.replicas > 0);
    let wanted: Vec<Artifact> = specs.flat_map(with_companions).collect();
    let failures = artifacts.refresh(&wanted).await;
    let Some((_, first)) = failures.first() else {
        return;
    };
    let names = failures
        .iter()
        .map(|(artifact, _)| render::artifact(artifact));
    let names = names.collect::<Vec<_>>().join(", ");
    tracing::warn!(error = %first, names, "not built; an earlier build is used if there is one");
}

/// What is built with a service. With the page comes the command line, its other face: the first
/// thing that whoever boots a fleet wants to have.
fn with_companions(spec: &ServiceSpec) -> Vec<Artifact> {
    let mut all: Vec<Artifact> = spec.artifacts().cloned().collect();
    if let Artifact::Cargo {
        manifest_path,
        bin_name,
    } = &spec.artifact
        && bin_name == "dashboard"
    {
        let (manifest_path, bin_name) = (manifest_path.clone(), "orrery".to_owned());
        all.push(Artifact::Cargo {
            manifest_path,
            bin_name,
        });
    }
    all
}

/// When the state cannot be made durable any more, nothing may be acknowledged: the process ends,
/// the fleet goes on, and the next start recalls what was durable.
fn run_brain(brain: Brain<EmbeddedStore>) {
    tokio::spawn(async move {
        let ended: Result<(), MemoryError> = brain.run().await;
        if let Err(error) = ended {
            tracing::error!(
                error = chain(&error),
                "the state is lost from here on; ending"
            );
            std::process::exit(Exit::Software.code().into());
        }
    });
}

async fn run_agent(agent: Agent, brain: &Handle, local: NodeId) -> Result<(), Failure> {
    let assignments = brain.subscribe(local).await;
    let assignments = assignments.map_err(|e| failed(Exit::Software, &e))?;
    let (sender, mut reports) = mpsc::channel(REPORTS_QUEUED);
    tokio::spawn(agent.run(assignments, sender));
    let brain = brain.clone();
    tokio::spawn(async move {
        while let Some(batch) = reports.recv().await {
            if brain.tell(batch).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}
