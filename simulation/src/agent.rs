//! A fake agent: production's `node::diff` over a fake machine, with a disk that survives it.

use std::collections::BTreeMap;

use model::{Exit, Failure, InstanceId, NodeId, ProcessIdentity, Revision};
use reconciliation::Assignments;
use reconciliation::node::{Ending, LocalPhase, LocalProcess, NodeState};

use crate::machine::Machine;
use crate::mutants::Mutant;

/// What an agent has written down about one instance.
#[derive(Clone, Debug)]
pub struct Record {
    /// The process, once the agent has learnt of it.
    pub identity: Option<ProcessIdentity>,
    /// How it ended, once the agent has learnt that.
    pub ended: Option<Ending>,
}

/// One agent: its disk, and its memory while it runs.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its name.
    pub node: NodeId,
    /// What survives it.
    pub disk: BTreeMap<InstanceId, Record>,
    /// Which of its lives this is; what was meant for an earlier one is not delivered.
    pub life: u64,
    /// What it knows; `None` while it is down.
    pub state: Option<NodeState>,
    /// What it was told to do last.
    pub orders: Option<Assignments>,
}

impl Agent {
    /// An agent that has not been started yet.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            disk: BTreeMap::new(),
            life: 0,
            state: None,
            orders: None,
        }
    }

    /// It is killed; its children live on.
    pub fn crash(&mut self) {
        self.life += 1;
        self.state = None;
        self.orders = None;
    }

    /// It starts, and finds out what its predecessor left behind.
    pub fn start(&mut self, machine: &Machine, mutant: Mutant) {
        self.life += 1;
        let mut processes = BTreeMap::new();
        for (id, record) in &mut self.disk {
            let found = find(machine, id, record, mutant);
            processes.insert(id.clone(), recovered(record, found));
        }
        // A process whose instance was never written down still has its label.
        for process in machine.processes.values() {
            let Some(label) = &process.label else {
                continue;
            };
            if !processes.contains_key(label) {
                processes.insert(label.clone(), found(process.identity.clone()));
            }
        }
        if mutant == Mutant::AdoptNothing {
            processes.clear();
        }
        self.state = Some(NodeState {
            node: self.node.clone(),
            applied: Revision(0),
            processes,
        });
    }

    /// Takes newer orders; older ones are only kept by the mutant that does not know better.
    pub fn obey(&mut self, orders: Assignments, mutant: Mutant) {
        let Some(state) = &mut self.state else { return };
        if mutant == Mutant::OrderWithoutRevision {
            state.applied = Revision(0);
            self.orders = Some(orders);
        } else if orders.revision >= state.applied {
            state.applied = orders.revision;
            self.orders = Some(orders);
        }
    }

    /// The phase of one of its processes.
    pub fn phase_mut(&mut self, id: &InstanceId) -> Option<&mut LocalPhase> {
        let process = self.state.as_mut()?.processes.get_mut(id)?;
        Some(&mut process.phase)
    }

    /// Writes down how an instance ended, once.
    pub fn ended(&mut self, id: &InstanceId, ending: Ending) {
        let Some(phase) = self.phase_mut(id) else {
            return;
        };
        if matches!(phase, LocalPhase::Ended(_)) {
            return;
        }
        *phase = LocalPhase::Ended(ending.clone());
        if let Some(record) = self.disk.get_mut(id) {
            record.ended = Some(ending);
        }
    }
}

fn found(identity: ProcessIdentity) -> LocalProcess {
    LocalProcess {
        identity: Some(identity),
        phase: LocalPhase::Found,
    }
}

/// The living process that belongs to a record.
fn find(
    machine: &Machine,
    id: &InstanceId,
    record: &Record,
    mutant: Mutant,
) -> Option<ProcessIdentity> {
    let mut processes = machine.processes.values();
    let process = match &record.identity {
        Some(known) if mutant == Mutant::AdoptByPidOnly => machine.processes.get(&known.pid),
        Some(known) => machine.get(known),
        None => processes.find(|process| process.label.as_ref() == Some(id)),
    };
    process.map(|process| process.identity.clone())
}

fn recovered(record: &mut Record, alive: Option<ProcessIdentity>) -> LocalProcess {
    if let Some(ending) = &record.ended {
        return LocalProcess {
            identity: record.identity.clone(),
            phase: LocalPhase::Ended(ending.clone()),
        };
    }
    if let Some(identity) = alive {
        record.identity = Some(identity.clone());
        return found(identity);
    }
    let failure = if record.identity.is_some() {
        let exit = Exit::Unknown;
        let last_lines = Vec::new();
        Failure::Exited { exit, last_lines }
    } else {
        let why = "its agent ended while starting it".to_owned();
        let retryable = true;
        Failure::NotStarted { why, retryable }
    };
    let ending = Ending::Failed(failure);
    record.ended = Some(ending.clone());
    LocalProcess {
        identity: record.identity.clone(),
        phase: LocalPhase::Ended(ending),
    }
}
