//! The state that decisions are made from.

use std::collections::BTreeMap;

use model::{
    Generation, Instance, InstanceId, Node, NodeId, Revision, ServiceName, ServiceSpec, Slot,
    Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::Write;

/// Everything the control plane knows, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Grows by one with every change; plans and assignments carry it, so that old ones are known.
    pub revision: Revision,
    /// The wishes.
    pub specs: BTreeMap<ServiceName, ServiceSpec>,
    /// The facts.
    pub instances: BTreeMap<InstanceId, Instance>,
    /// The machines.
    pub nodes: BTreeMap<NodeId, Node>,
    /// What must be remembered of a slot even when its instances are forgotten.
    pub slots: BTreeMap<Slot, SlotRecord>,
    /// Whose decisions of a placer count; nobody's before the first was elected.
    pub leader: Leader,
    /// Where everything is started that has no node of its own; without it, on the open node that
    /// has the fewest instances. A setting, not state: never persisted.
    pub local_node: Option<NodeId>,
    /// While a service of this name is wished for, it says where what has no node of its own is
    /// started ([`crate::place`]). A setting, not state: never persisted.
    pub placer: Option<ServiceName>,
    /// A node that is away for longer than this, in milliseconds, counts as lost; 0: never. A
    /// setting, not state: never persisted.
    pub lost_after_ms: u64,
    /// What restart jitter is drawn from. A setting, not state: never persisted.
    pub seed: u64,
}

/// One replica of the placer: the one that decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// What it calls itself.
    pub name: String,
    /// Grows with every election; what an older one decides is refused.
    pub generation: Generation,
}

/// What is remembered of a slot for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRecord {
    /// The last generation that was given to an instance of this slot.
    pub generation: Generation,
    /// Failures of this generation and of older ones no longer count against the slot: an
    /// operator changed the spec, or asked for a restart, after them.
    pub forgiven: Generation,
    /// Set when the slot is not started any more until an operator acts.
    pub given_up: Option<GivenUp>,
}

/// Why a slot is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// Since when.
    pub at: Timestamp,
    /// What happened, with the last lines of the log where there are some.
    pub reason: String,
}

impl Snapshot {
    /// An empty fleet whose instances all go to `local_node`, if there is one.
    #[must_use]
    pub fn new(local_node: Option<NodeId>, seed: u64) -> Self {
        Self {
            local_node,
            seed,
            ..Self::default()
        }
    }

    /// Replays one persisted write: this is how the state comes back after a restart.
    pub fn apply(&mut self, write: Write) {
        match write {
            Write::PutSpec(spec) => drop(self.specs.insert(spec.name.clone(), *spec)),
            Write::DeleteSpec(name) => drop(self.specs.remove(&name)),
            Write::PutInstance(instance) => {
                drop(self.instances.insert(instance.id.clone(), *instance));
            }
            Write::DeleteInstance(id) => drop(self.instances.remove(&id)),
            Write::PutSlot(slot, record) => drop(self.slots.insert(slot, record)),
            Write::PutNode(node) => drop(self.nodes.insert(node.id.clone(), node)),
            Write::DeleteNode(id) => drop(self.nodes.remove(&id)),
            Write::PutLeader(leader) => self.leader = leader,
            Write::PutRevision(revision) => self.revision = revision,
        }
    }

    /// Whether another service says where instances of this spec are started. Where the placer
    /// itself starts it does not say: nobody would.
    #[must_use]
    pub fn asks_placer(&self, spec: &ServiceSpec) -> bool {
        let wished = |placer| self.specs.get(placer).is_some_and(|spec| spec.replicas > 0);
        let other = self.placer.as_ref().filter(|placer| **placer != spec.name);
        spec.node.is_none() && other.is_some_and(wished)
    }

    /// The instances of one service, by slot and generation.
    pub fn instances_of(&self, service: &ServiceName) -> impl Iterator<Item = &Instance> + use<'_> {
        let first = InstanceId {
            slot: Slot {
                service: service.clone(),
                index: 0,
            },
            generation: Generation(0),
        };
        let service = service.clone();
        self.instances
            .range(first..)
            .map(|(_, instance)| instance)
            .take_while(move |instance| instance.id.slot.service == service)
    }

    /// The instance that owns a slot now: the newest one that is not terminal.
    #[must_use]
    pub fn owner(&self, slot: &Slot) -> Option<&Instance> {
        let id = |generation| InstanceId {
            slot: slot.clone(),
            generation: Generation(generation),
        };
        self.instances
            .range(id(0)..=id(u64::MAX))
            .rev()
            .map(|(_, instance)| instance)
            .find(|instance| !instance.state.is_terminal())
    }
}
