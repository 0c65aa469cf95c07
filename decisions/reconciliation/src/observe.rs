//! What agents see, as facts.

use model::{
    Exit, Failure, Instance, InstanceId, InstanceState, NodeId, ProcessIdentity, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::change::Ledger;
use crate::{Change, EventKind, Snapshot, Subject, Write};

/// What an agent saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who saw it.
    pub node: NodeId,
    /// Of which instance.
    pub instance: InstanceId,
    /// What.
    pub observation: Observation,
}

/// What can be seen of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// Its process runs (or was found running, by an agent that came back).
    Started {
        /// Which process that is.
        process: ProcessIdentity,
    },
    /// It is ready for the first time.
    Ready,
    /// It stopped answering as it should.
    Unhealthy {
        /// The last bad answer.
        why: String,
    },
    /// It answers again.
    Healthy,
    /// It ended, or could not be started, without being asked to. Nothing of it is left.
    Failed(Failure),
    /// It ended as it was asked to. Nothing of it is left.
    Stopped {
        /// How; `None` when there never was a process.
        exit: Option<Exit>,
    },
}

/// Why a report changed nothing although it was not a repetition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// Its slot has moved on.
    #[error("report of {instance} ignored: its slot is at generation {newest}")]
    Stale {
        /// Whom it was about.
        instance: InstanceId,
        /// The slot's newest generation.
        newest: u64,
    },
    /// It is over, and it ended differently.
    #[error("report of {instance} ignored: it is already {state}")]
    Terminal {
        /// Whom it was about.
        instance: InstanceId,
        /// How it ended.
        state: InstanceState,
    },
    /// Somebody else has it.
    #[error("report of {instance} from {node} ignored: it belongs to another node")]
    WrongNode {
        /// Whom it was about.
        instance: InstanceId,
        /// Who reported.
        node: NodeId,
    },
    /// No such instance was ever made.
    #[error("report of {instance} ignored: no such instance was made")]
    Unknown {
        /// Whom it was about.
        instance: InstanceId,
    },
    /// It cannot be true, or an earlier report is missing; the agent repeats what still matters.
    #[error("report of {instance} ignored: {why} (it is {state})")]
    Impossible {
        /// Whom it was about.
        instance: InstanceId,
        /// Where it is in its life.
        state: InstanceState,
        /// What does not fit.
        why: &'static str,
    },
}

/// Takes one report into the state. A repetition changes nothing.
///
/// Reports may be late, repeated or out of order: agents repeat whatever the control plane's
/// assignments show it has not understood, so ignoring one is always safe.
///
/// # Errors
/// [`Ignored`] says why a report that is no repetition changed nothing.
pub fn observe(
    snapshot: &mut Snapshot,
    report: &Report,
    now: Timestamp,
) -> Result<Vec<Change>, Ignored> {
    let instance = admit(snapshot, report)?.clone();
    let Some(step) = step(&instance, &report.observation)? else {
        return Ok(Vec::new());
    };
    let mut ledger = Ledger::new(snapshot, now);
    let subject = Subject::Instance(instance.id.clone());
    let next = step.taken(instance, now);
    let why = next.reason.clone();
    let write = Write::PutInstance(Box::new(next));
    match step.event {
        Some(kind) => ledger.tell(write, subject, kind, why),
        None => ledger.write(write),
    }
    Ok(ledger.finish())
}

/// Finds the instance a report is about, if the report may speak of it.
fn admit<'a>(snapshot: &'a Snapshot, report: &Report) -> Result<&'a Instance, Ignored> {
    let id = &report.instance;
    let newest = snapshot
        .slots
        .get(&id.slot)
        .map_or(0, |slot| slot.generation.0);
    let Some(instance) = snapshot.instances.get(id) else {
        let instance = id.clone();
        return Err(if id.generation.0 <= newest {
            Ignored::Stale { instance, newest }
        } else {
            Ignored::Unknown { instance }
        });
    };
    if instance.node.as_ref() != Some(&report.node) {
        return Err(Ignored::WrongNode {
            instance: id.clone(),
            node: report.node.clone(),
        });
    }
    Ok(instance)
}

/// One transition of an instance.
struct Step {
    state: InstanceState,
    reason: String,
    process: Option<ProcessIdentity>,
    failure: Option<Failure>,
    event: Option<EventKind>,
}

impl Step {
    fn to(state: InstanceState, event: EventKind, reason: impl Into<String>) -> Self {
        Self {
            state,
            reason: reason.into(),
            process: None,
            failure: None,
            event: Some(event),
        }
    }

    fn failed(failure: Failure) -> Self {
        let reason = failure.to_string();
        Self {
            failure: Some(failure),
            ..Self::to(InstanceState::Failed, EventKind::Failed, reason)
        }
    }

    fn taken(&self, mut instance: Instance, now: Timestamp) -> Instance {
        if instance.state != self.state {
            instance.since = now;
        }
        if self.state == InstanceState::Healthy {
            instance.healthy_since.get_or_insert(now);
        }
        instance.state = self.state;
        instance.reason.clone_from(&self.reason);
        if let Some(process) = &self.process {
            instance.process = Some(process.clone());
        }
        if let Some(failure) = &self.failure {
            instance.failure = Some(failure.clone());
        }
        instance
    }
}

/// The transition that an observation causes; `None` for a repetition.
fn step(instance: &Instance, observation: &Observation) -> Result<Option<Step>, Ignored> {
    if instance.state.is_terminal() {
        return after_the_end(instance, observation);
    }
    match observation {
        Observation::Started { process } => started(instance, process),
        Observation::Ready | Observation::Healthy => well(instance),
        Observation::Unhealthy { why } => unwell(instance, why),
        Observation::Failed(failure) => Ok(Some(failed(instance, failure))),
        Observation::Stopped { exit } => Ok(Some(stopped(instance, *exit))),
    }
}

/// A terminal state is never left; the same ending told again is a repetition.
fn after_the_end(instance: &Instance, observation: &Observation) -> Result<Option<Step>, Ignored> {
    let repeated = match observation {
        Observation::Failed(failure) => instance.failure.as_ref() == Some(failure),
        Observation::Stopped { .. } => instance.state == InstanceState::Stopped,
        _ => false,
    };
    if repeated {
        return Ok(None);
    }
    Err(Ignored::Terminal {
        instance: instance.id.clone(),
        state: instance.state,
    })
}

fn impossible(instance: &Instance, why: &'static str) -> Ignored {
    Ignored::Impossible {
        instance: instance.id.clone(),
        state: instance.state,
        why,
    }
}

fn started(instance: &Instance, process: &ProcessIdentity) -> Result<Option<Step>, Ignored> {
    match &instance.process {
        Some(known) if known == process => return Ok(None),
        Some(_) => return Err(impossible(instance, "it already has another process")),
        None => {}
    }
    let pid = process.pid;
    let step = match instance.state {
        InstanceState::Scheduled => {
            let why = format!("pid {pid} runs, not ready yet");
            Step::to(InstanceState::Starting, EventKind::Started, why)
        }
        // It was started before its agent heard that it should end.
        InstanceState::Stopping => Step {
            event: None,
            ..Step::to(
                InstanceState::Stopping,
                EventKind::Started,
                instance.reason.clone(),
            )
        },
        _ => return Err(impossible(instance, "it was not waiting for a process")),
    };
    Ok(Some(Step {
        process: Some(process.clone()),
        ..step
    }))
}

fn well(instance: &Instance) -> Result<Option<Step>, Ignored> {
    let healthy = |why| Step::to(InstanceState::Healthy, EventKind::Healthy, why);
    match instance.state {
        InstanceState::Healthy | InstanceState::Stopping => Ok(None),
        InstanceState::Starting => Ok(Some(healthy("ready"))),
        InstanceState::Unhealthy => Ok(Some(healthy("answers again"))),
        _ => Err(impossible(instance, "its start was not reported")),
    }
}

fn unwell(instance: &Instance, why: &str) -> Result<Option<Step>, Ignored> {
    match instance.state {
        InstanceState::Unhealthy | InstanceState::Stopping => Ok(None),
        // An agent whose report of `Ready` was lost may have seen it fall ill since.
        InstanceState::Starting | InstanceState::Healthy => {
            let unhealthy = InstanceState::Unhealthy;
            Ok(Some(Step::to(unhealthy, EventKind::Unhealthy, why)))
        }
        _ => Err(impossible(instance, "its start was not reported")),
    }
}

/// What was asked to end has ended as it was asked to, whoever was quicker.
fn failed(instance: &Instance, failure: &Failure) -> Step {
    match (&instance.failure, instance.state) {
        (None, InstanceState::Stopping) => {
            let why = format!("{}; {failure}", instance.reason);
            Step::to(InstanceState::Stopped, EventKind::Stopped, why)
        }
        (Some(earlier), InstanceState::Stopping) => Step::failed(earlier.clone()),
        _ => Step::failed(failure.clone()),
    }
}

fn stopped(instance: &Instance, exit: Option<Exit>) -> Step {
    if instance.state != InstanceState::Stopping {
        let exit = exit.unwrap_or(Exit::Unknown);
        let last_lines = Vec::new();
        return Step::failed(Failure::Exited { exit, last_lines });
    }
    if let Some(failure) = &instance.failure {
        return Step::failed(failure.clone());
    }
    let how = exit.map_or_else(|| "it had no process".to_owned(), |exit| exit.to_string());
    let why = format!("{}; {how}", instance.reason);
    Step::to(InstanceState::Stopped, EventKind::Stopped, why)
}
