//! What operators ask for.

use model::{
    Duty, InstanceId, InstanceState, NodeFacts, NodeId, NodeStatus, REPLICAS_MAX, Revision,
    ServiceName, ServiceSpec, SpecError, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::change::Ledger;
use crate::roll::{self, RollStep, Roller};
use crate::{Change, Cycle, EventKind, Snapshot, Subject, Write, check_dependencies, nodes, place};

/// What an operator (or, for nodes, an agent's connection) asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Make this the service's spec. Its `revision` is set here; what is given is not read.
    /// A spec that differs in more than `replicas` gives slots that were given up a new chance.
    /// Applying an equal spec again changes nothing at all.
    ApplySpec(Box<ServiceSpec>),
    /// Change only how many replicas there are. Running instances stay as they are.
    Scale {
        /// Which service.
        service: ServiceName,
        /// How many, at most [`REPLICAS_MAX`].
        replicas: u32,
    },
    /// End this instance. Its slot gets a new one at once, if it is still wanted: to have fewer,
    /// scale down.
    StopInstance {
        /// Which.
        instance: InstanceId,
    },
    /// As `StopInstance`, and the slot's failures no longer count. Also takes an instance that has
    /// ended, as long as it is remembered: this is how one slot that was given up is tried again.
    RestartInstance {
        /// Which.
        instance: InstanceId,
    },
    /// Replace every instance, one at a time, each when the others are healthy.
    RestartService {
        /// Which.
        service: ServiceName,
    },
    /// Takes a newer version one step further.
    Roll {
        /// Of which service.
        service: ServiceName,
        /// Who rolls it out: what somebody else began is left alone.
        by: String,
        /// Larger than that of every earlier version's way: what comes late is refused by it.
        fence: u64,
        /// How.
        step: RollStep,
    },
    /// End every instance and forget the service.
    DeleteService {
        /// Which.
        service: ServiceName,
    },
    /// Take note of how a node is. `Lost` is final for what ran on it: say so only when its
    /// processes are known to be gone.
    SetNode {
        /// Which.
        node: NodeId,
        /// How it is.
        status: NodeStatus,
    },
    /// Take note of what a node says of itself.
    DescribeNode {
        /// Which.
        node: NodeId,
        /// What it says.
        facts: Box<NodeFacts>,
    },
    /// Use a node otherwise from now on.
    SetDuty {
        /// Which.
        node: NodeId,
        /// For what.
        duty: Duty,
    },
    /// Forget a node: one that is lost, or that has nothing any more and takes nothing.
    RemoveNode {
        /// Which.
        node: NodeId,
    },
    /// Let another replica of the placer decide. Its generation is the next one.
    Elect {
        /// What it calls itself.
        leader: String,
    },
}

/// Why a command changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such service.
    #[error("no service is called {service}: `orrery status` lists them")]
    UnknownService {
        /// As it was given.
        service: ServiceName,
    },
    /// There is no such instance.
    #[error("no instance is called {instance}: `orrery ps` lists them")]
    UnknownInstance {
        /// As it was given.
        instance: InstanceId,
    },
    /// It is over.
    #[error("{instance} has already ended ({state}){}", newer(.owner.as_ref()))]
    AlreadyEnded {
        /// As it was given.
        instance: InstanceId,
        /// How it ended.
        state: InstanceState,
        /// Who has its slot now.
        owner: Option<InstanceId>,
    },
    /// The spec is wrong.
    #[error("the spec of {service} is refused: {source}")]
    Spec {
        /// Whose.
        service: ServiceName,
        /// What is wrong with it.
        source: SpecError,
    },
    /// Somebody else rolls out a version of the service.
    #[error("{service} is being rolled out by {by}; end that first")]
    RolledByOther {
        /// Which.
        service: ServiceName,
        /// Who.
        by: String,
    },
    /// There is no such node.
    #[error("no node is called {node}: `orrery nodes` lists them")]
    UnknownNode {
        /// As it was given.
        node: NodeId,
    },
    /// It may still have something.
    #[error("{node} is not removed: {why}")]
    NodeInUse {
        /// Which.
        node: NodeId,
        /// What to do first.
        why: String,
    },
    /// The service is not as the step says: it came late, or somebody was faster.
    #[error("{by} does not get further with {service}: {why}")]
    Overtaken {
        /// Which.
        service: ServiceName,
        /// Who.
        by: String,
        /// What is different.
        why: String,
    },
    /// The spec would make services wait for each other.
    #[error(transparent)]
    Cycle(#[from] Cycle),
}

fn newer(owner: Option<&InstanceId>) -> String {
    owner.map_or_else(String::new, |owner| {
        format!("; its slot belongs to {owner} now")
    })
}

/// Takes a command into the state: all of it, or nothing.
///
/// # Errors
/// [`CommandError`] says what is wrong with it and what to do; nothing has changed then.
pub fn command(
    snapshot: &mut Snapshot,
    command: Command,
    now: Timestamp,
) -> Result<Vec<Change>, CommandError> {
    match command {
        Command::ApplySpec(spec) => apply_spec(snapshot, *spec, now),
        Command::Scale { service, replicas } => scale(snapshot, &service, replicas, now),
        Command::StopInstance { instance } => stop_instance(snapshot, &instance, now),
        Command::RestartInstance { instance } => restart_instance(snapshot, &instance, now),
        Command::RestartService { service } => restart_service(snapshot, &service, now),
        Command::Roll {
            service,
            by,
            fence,
            step,
        } => roll::roll(snapshot, &service, &Roller { by, fence }, step, now),
        Command::DeleteService { service } => delete_service(snapshot, service, now),
        Command::SetNode { node, status } => Ok(nodes::set_status(snapshot, node, status, now)),
        Command::DescribeNode { node, facts } => nodes::describe(snapshot, &node, *facts, now),
        Command::SetDuty { node, duty } => nodes::set_duty(snapshot, &node, duty, now),
        Command::RemoveNode { node } => nodes::remove(snapshot, node, now),
        Command::Elect { leader } => Ok(place::elect(snapshot, leader, now)),
    }
}

fn apply_spec(
    snapshot: &mut Snapshot,
    mut spec: ServiceSpec,
    now: Timestamp,
) -> Result<Vec<Change>, CommandError> {
    checked(&spec)?;
    let old = snapshot.specs.get(&spec.name).cloned();
    check_with(snapshot, &spec)?;
    spec.revision = match &old {
        Some(old) if same_process(old, &spec) => old.revision,
        _ => fresh_revision(snapshot, &spec.name),
    };
    roll::apply(old.as_ref(), &mut spec);
    let mut ledger = Ledger::new(snapshot, now);
    let Some(first) = first_forgiven(old.as_ref(), &spec) else {
        return Ok(Vec::new());
    };
    ledger.forgive(&spec.name, first);
    let subject = Subject::Service(spec.name.clone());
    let why = format!("revision {}, {} replicas", spec.revision.0, spec.replicas);
    let write = Write::PutSpec(Box::new(spec));
    ledger.tell(write, subject, EventKind::Applied, why);
    Ok(ledger.finish())
}

/// From which slot on a new spec gives a new chance; `None` when there is nothing new in it. A
/// control plane that applies its default fleet at every start must not reset anybody's budget.
fn first_forgiven(old: Option<&ServiceSpec>, new: &ServiceSpec) -> Option<u32> {
    let Some(old) = old else { return Some(0) };
    if old == new {
        return None;
    }
    let mut scaled = old.clone();
    scaled.replicas = new.replicas;
    let only_scaled = scaled == *new;
    Some(if only_scaled {
        old.replicas.min(new.replicas)
    } else {
        0
    })
}

pub(crate) fn checked(spec: &ServiceSpec) -> Result<(), CommandError> {
    spec.check().map_err(|source| CommandError::Spec {
        service: spec.name.clone(),
        source,
    })
}

/// Refuses a spec that would close a circle of services that wait for each other.
fn check_with(snapshot: &mut Snapshot, spec: &ServiceSpec) -> Result<(), Cycle> {
    if spec.after.is_empty() {
        return Ok(());
    }
    let before = snapshot.specs.insert(spec.name.clone(), spec.clone());
    let verdict = check_dependencies(&snapshot.specs);
    match before {
        Some(before) => snapshot.specs.insert(spec.name.clone(), before),
        None => snapshot.specs.remove(&spec.name),
    };
    verdict
}

/// Whether a running instance of `old` is as good as one of `new`: replicas, start order and
/// restart policy concern the control plane, not the process.
fn same_process(old: &ServiceSpec, new: &ServiceSpec) -> bool {
    let as_process = |spec: &ServiceSpec| ServiceSpec {
        replicas: 0,
        after: Vec::new(),
        restart: model::RestartPolicy::default(),
        next: None,
        rolled: 0,
        revision: Revision(0),
        ..spec.clone()
    };
    as_process(old) == as_process(new)
}

/// A revision that neither the spec nor any instance of the service has had.
pub(crate) fn fresh_revision(snapshot: &Snapshot, service: &ServiceName) -> Revision {
    let spec = snapshot.specs.get(service);
    let next = spec.and_then(|spec| Some(spec.next.as_ref()?.revision));
    let spec = spec.map(|spec| spec.revision).max(next);
    let instances = snapshot.instances_of(service).map(|i| i.spec_revision);
    let used = instances.chain(spec).max().unwrap_or_default();
    Revision(used.max(snapshot.revision).0 + 1)
}

pub(crate) fn spec_of(
    snapshot: &Snapshot,
    service: &ServiceName,
) -> Result<ServiceSpec, CommandError> {
    let spec = snapshot.specs.get(service).cloned();
    spec.ok_or_else(|| CommandError::UnknownService {
        service: service.clone(),
    })
}

fn scale(
    snapshot: &mut Snapshot,
    service: &ServiceName,
    replicas: u32,
    now: Timestamp,
) -> Result<Vec<Change>, CommandError> {
    let mut spec = spec_of(snapshot, service)?;
    if replicas > REPLICAS_MAX {
        spec.replicas = replicas;
        checked(&spec)?;
    }
    if spec.replicas == replicas {
        return Ok(Vec::new());
    }
    let why = format!("{} to {replicas} replicas", spec.replicas);
    let kept = spec.replicas.min(replicas);
    let before = std::mem::replace(&mut spec.replicas, replicas);
    roll::rescale(&mut spec, before);
    let mut ledger = Ledger::new(snapshot, now);
    ledger.forgive(service, kept);
    let subject = Subject::Service(service.clone());
    ledger.tell(
        Write::PutSpec(Box::new(spec)),
        subject,
        EventKind::Scaled,
        why,
    );
    Ok(ledger.finish())
}

fn stop_instance(
    snapshot: &mut Snapshot,
    id: &InstanceId,
    now: Timestamp,
) -> Result<Vec<Change>, CommandError> {
    let Some(instance) = snapshot.instances.get(id).cloned() else {
        return Err(CommandError::UnknownInstance {
            instance: id.clone(),
        });
    };
    if instance.state.is_terminal() {
        return Err(CommandError::AlreadyEnded {
            instance: id.clone(),
            state: instance.state,
            owner: snapshot.owner(&id.slot).map(|owner| owner.id.clone()),
        });
    }
    let mut ledger = Ledger::new(snapshot, now);
    if instance.state != InstanceState::Stopping {
        ledger.stop(instance, "stopped by an operator");
    }
    Ok(ledger.finish())
}

fn restart_instance(
    snapshot: &mut Snapshot,
    id: &InstanceId,
    now: Timestamp,
) -> Result<Vec<Change>, CommandError> {
    let ended = snapshot.instances.get(id).map(|i| i.state.is_terminal());
    if ended == Some(true) && snapshot.owner(&id.slot).is_none() {
        let mut ledger = Ledger::new(snapshot, now);
        ledger.forgive_slot(id.slot.clone());
        return Ok(ledger.finish());
    }
    let mut changes = stop_instance(snapshot, id, now)?;
    let mut ledger = Ledger::new(snapshot, now);
    ledger.forgive_slot(id.slot.clone());
    changes.extend(ledger.finish());
    Ok(changes)
}

fn restart_service(
    snapshot: &mut Snapshot,
    service: &ServiceName,
    now: Timestamp,
) -> Result<Vec<Change>, CommandError> {
    let mut spec = spec_of(snapshot, service)?;
    spec.revision = fresh_revision(snapshot, service);
    let mut ledger = Ledger::new(snapshot, now);
    ledger.forgive(service, 0);
    let subject = Subject::Service(service.clone());
    let why = "one instance at a time";
    ledger.tell(
        Write::PutSpec(Box::new(spec)),
        subject,
        EventKind::RestartAsked,
        why,
    );
    Ok(ledger.finish())
}

fn delete_service(
    snapshot: &mut Snapshot,
    service: ServiceName,
    now: Timestamp,
) -> Result<Vec<Change>, CommandError> {
    spec_of(snapshot, &service)?;
    let mut ledger = Ledger::new(snapshot, now);
    ledger.forgive(&service, 0);
    let subject = Subject::Service(service.clone());
    let why = "its instances are stopped, then forgotten";
    ledger.tell(Write::DeleteSpec(service), subject, EventKind::Deleted, why);
    Ok(ledger.finish())
}
