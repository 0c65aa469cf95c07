//! What an agent pulls.

use std::collections::{BTreeMap, BTreeSet};

use model::{Instance, NodeId, Revision, ServiceSpec};
use serde::{Deserialize, Serialize};

use crate::Snapshot;

/// Everything one node should be doing, as of one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignments {
    /// The state they come from. An agent never goes back to older ones.
    pub revision: Revision,
    /// One for each instance of the node that is not terminal. What is not here must not run.
    pub items: Vec<Assignment>,
}

/// One instance that a node has to look after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The instance as the control plane knows it; the agent reports what it knows better.
    pub instance: Instance,
    /// What should be.
    pub desired: Desired,
}

/// What should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// It should run, like this. It may be started at once.
    Run(Box<ServiceSpec>),
    /// It should end, and nothing of it should be left.
    Stop {
        /// How long it may take after SIGTERM, in milliseconds. `None`: its service is gone, so
        /// what its own spec said, as far as the agent remembers.
        grace_period_ms: Option<u64>,
    },
}

/// What one node should be doing.
#[must_use]
pub fn assignments(snapshot: &Snapshot, node: &NodeId) -> Assignments {
    let mut all = assignments_of(snapshot, BTreeSet::from([node]));
    all.pop_first()
        .map_or_else(Assignments::default, |(_, only)| only)
}

/// What each of these nodes should be doing; one pass over the instances for all of them.
#[must_use]
pub fn assignments_of<'a>(
    snapshot: &Snapshot,
    nodes: BTreeSet<&'a NodeId>,
) -> BTreeMap<&'a NodeId, Assignments> {
    let none = || Assignments {
        revision: snapshot.revision,
        items: Vec::new(),
    };
    let mut all: BTreeMap<_, _> = nodes.into_iter().map(|node| (node, none())).collect();
    for instance in snapshot.instances.values() {
        let here = instance.node.as_ref().and_then(|node| all.get_mut(node));
        if let Some(here) = here.filter(|_| instance.state.may_have_process()) {
            here.items.push(assignment(snapshot, instance));
        }
    }
    all
}

fn assignment(snapshot: &Snapshot, instance: &Instance) -> Assignment {
    let spec = snapshot.specs.get(&instance.id.slot.service);
    let desired = match spec {
        Some(spec) if instance.state != model::InstanceState::Stopping => {
            Desired::Run(Box::new(spec.at(instance.id.slot.index)))
        }
        _ => Desired::Stop {
            grace_period_ms: spec.map(|spec| spec.grace_period_ms),
        },
    };
    Assignment {
        instance: instance.clone(),
        desired,
    }
}
