//! The agent's own decision: what to do on one machine, from what it should do and what it sees.
//!
//! Level-triggered: [`diff`] compares everything with everything each time, so a lost report or a
//! lost order is made good by the next comparison. It is pure; the agent does what it says.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Exit, Failure, Instance, InstanceId, InstanceState, NodeId, ProcessIdentity, Revision, Slot,
};
use serde::{Deserialize, Serialize};

use crate::{Assignment, Assignments, Desired, Observation, Report};

/// What an agent knows of its machine.
///
/// After a restart, before the first comparison, the agent fills `processes` from its durable
/// records and the process table: a record whose process still has the recorded identity is
/// [`LocalPhase::Found`]; one whose process is gone has [`Ending::Failed`] with
/// [`Exit::Unknown`]; one that was about to be started and has no process failed to start. The
/// table must be complete: what is missing from it counts as not running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// Its own name.
    pub node: NodeId,
    /// The newest assignments it has acted on. Older ones, arriving late, are not acted on.
    pub applied: Revision,
    /// Every process it started or found, and every one that ended until that is acknowledged.
    pub processes: BTreeMap<InstanceId, LocalProcess>,
}

/// One process of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalProcess {
    /// Which process it is; `None` as long as there is none.
    pub identity: Option<ProcessIdentity>,
    /// Where it is in its life, as the agent sees it.
    pub phase: LocalPhase,
}

/// Where a process is in its life, as the agent sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalPhase {
    /// It is being started right now.
    Spawning,
    /// It runs, was started by an earlier agent, and nobody watches it yet.
    Found,
    /// It runs and is not ready yet.
    Starting,
    /// It runs and is well.
    Healthy,
    /// It runs and does not answer as it should.
    Unhealthy {
        /// The last bad answer.
        why: String,
    },
    /// It was signalled, and something of it is left.
    Stopping,
    /// Nothing of it is left.
    Ended(Ending),
}

/// How it ended: decided once, reported until it is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// As it was asked to.
    Stopped(Option<Exit>),
    /// Without being asked to.
    Failed(Failure),
}

impl LocalProcess {
    /// Whether something of it may be left.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !matches!(self.phase, LocalPhase::Ended(_))
    }
}

/// What an agent has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAction {
    /// Write down durably that it will be started, start it, write down its identity.
    Spawn(Box<Assignment>),
    /// Watch, from now on, a process that an earlier agent started.
    Adopt {
        /// Whose process.
        assignment: Box<Assignment>,
        /// Which process.
        process: ProcessIdentity,
    },
    /// Ask it to end, and kill it when the grace period is over.
    Stop {
        /// Which.
        instance: InstanceId,
        /// In milliseconds; `None`: what its spec said when it was started.
        grace_period_ms: Option<u64>,
    },
    /// Kill it at once: nobody wants it.
    Kill {
        /// Which.
        instance: InstanceId,
        /// Why.
        why: KillReason,
    },
    /// Tell the control plane.
    Report(Report),
    /// Its end is acknowledged: delete its record.
    Forget {
        /// Which.
        instance: InstanceId,
    },
}

/// Why a process is killed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillReason {
    /// The control plane does not know it, or thinks it is over.
    NotAssigned,
    /// It is not the process that the control plane knows under that name.
    NotTheSame,
}

/// What to do on one machine. Empty when everything is as it should be, or when the assignments
/// are older than those already acted on.
#[must_use]
pub fn diff(assignments: &Assignments, local: &NodeState) -> Vec<NodeAction> {
    if assignments.revision < local.applied {
        return Vec::new();
    }
    let mut differ = Differ {
        local,
        occupied: occupied(local),
        actions: Vec::new(),
    };
    differ.not_assigned(assignments);
    for assignment in &assignments.items {
        differ.assigned(assignment);
    }
    differ.actions
}

/// The slots that something is left in.
fn occupied(local: &NodeState) -> BTreeSet<&Slot> {
    let alive = local.processes.iter().filter(|(_, p)| p.is_alive());
    alive.map(|(id, _)| &id.slot).collect()
}

struct Differ<'a> {
    local: &'a NodeState,
    occupied: BTreeSet<&'a Slot>,
    actions: Vec<NodeAction>,
}

impl<'a> Differ<'a> {
    /// Whatever is not assigned must not run, and once it has ended nobody needs its record.
    fn not_assigned(&mut self, assignments: &Assignments) {
        let items = assignments.items.iter();
        let assigned: BTreeSet<_> = items.map(|item| &item.instance.id).collect();
        let processes = self.local.processes.iter();
        for (id, process) in processes.filter(|(id, _)| !assigned.contains(id)) {
            let instance = id.clone();
            match process.phase {
                LocalPhase::Spawning | LocalPhase::Stopping => {}
                LocalPhase::Ended(_) => self.actions.push(NodeAction::Forget { instance }),
                _ => self.actions.push(NodeAction::Kill {
                    instance,
                    why: KillReason::NotAssigned,
                }),
            }
        }
    }

    fn assigned(&mut self, assignment: &'a Assignment) {
        let instance = &assignment.instance;
        let process = self.local.processes.get(&instance.id);
        match (&assignment.desired, process) {
            (Desired::Run(_), None) => self.missing(assignment),
            (Desired::Run(_), Some(process)) => self.present(assignment, process),
            (Desired::Stop { .. }, None) => {
                let exit = instance.process.as_ref().map(|_| Exit::Unknown);
                self.report(instance, Observation::Stopped { exit });
            }
            (Desired::Stop { grace_period_ms }, Some(process)) => match &process.phase {
                LocalPhase::Ended(ending) => self.report(instance, ending.observation()),
                LocalPhase::Spawning | LocalPhase::Stopping => {}
                _ => self.actions.push(NodeAction::Stop {
                    instance: instance.id.clone(),
                    grace_period_ms: *grace_period_ms,
                }),
            },
        }
    }

    /// It should run and does not: it is started, unless it once ran, or its slot is not empty.
    fn missing(&mut self, assignment: &'a Assignment) {
        let instance = &assignment.instance;
        if instance.state != InstanceState::Scheduled || instance.process.is_some() {
            let exit = Exit::Unknown;
            let last_lines = Vec::new();
            let failure = Failure::Exited { exit, last_lines };
            return self.report(instance, Observation::Failed(failure));
        }
        if self.occupied.insert(&instance.id.slot) {
            let assignment = Box::new(assignment.clone());
            self.actions.push(NodeAction::Spawn(assignment));
        }
    }

    /// It should run and does, or did.
    fn present(&mut self, assignment: &'a Assignment, process: &LocalProcess) {
        let instance = &assignment.instance;
        if let LocalPhase::Ended(ending) = &process.phase {
            return self.report(instance, ending.observation());
        }
        let Some(identity) = &process.identity else {
            return;
        };
        if instance
            .process
            .as_ref()
            .is_some_and(|known| known != identity)
        {
            if process.phase != LocalPhase::Stopping {
                self.actions.push(NodeAction::Kill {
                    instance: instance.id.clone(),
                    why: KillReason::NotTheSame,
                });
            }
            return;
        }
        if process.phase == LocalPhase::Found {
            self.actions.push(NodeAction::Adopt {
                assignment: Box::new(assignment.clone()),
                process: identity.clone(),
            });
        }
        self.tell_difference(instance, identity, &process.phase);
    }

    /// Repeats whatever the control plane has not understood yet.
    fn tell_difference(
        &mut self,
        instance: &Instance,
        identity: &ProcessIdentity,
        phase: &LocalPhase,
    ) {
        if instance.process.is_none() {
            let process = identity.clone();
            self.report(instance, Observation::Started { process });
        }
        match (phase, instance.state) {
            (LocalPhase::Healthy, InstanceState::Unhealthy) => {
                self.report(instance, Observation::Healthy);
            }
            (LocalPhase::Healthy, state) if state != InstanceState::Healthy => {
                self.report(instance, Observation::Ready);
            }
            (LocalPhase::Unhealthy { why }, state) if state != InstanceState::Unhealthy => {
                let why = why.clone();
                self.report(instance, Observation::Unhealthy { why });
            }
            _ => {}
        }
    }

    fn report(&mut self, instance: &Instance, observation: Observation) {
        self.actions.push(NodeAction::Report(Report {
            node: self.local.node.clone(),
            instance: instance.id.clone(),
            observation,
        }));
    }
}

impl Ending {
    /// The ending as a report says it.
    #[must_use]
    pub fn observation(&self) -> Observation {
        match self {
            Self::Stopped(exit) => Observation::Stopped { exit: *exit },
            Self::Failed(failure) => Observation::Failed(failure.clone()),
        }
    }
}
