//! Where something can be placed.

use std::collections::BTreeSet;

use model::{Duty, Gpus, Labels, LicenseTier, NodeId, NodeStatus, Resources, Taint};
use serde::{Deserialize, Serialize};

/// One machine, without what is placed on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    pub id: NodeId,
    /// Whether it is heard of.
    pub status: NodeStatus,
    /// Whether it is to be given work.
    pub duty: Duty,
    /// What many machines have in common.
    pub facts: Facts,
}

/// What is true of a machine as long as nobody rebuilds it. Machines with equal facts are of one
/// *profile*: whatever depends on facts alone is decided once for all of them. So put nothing here
/// that is different on each machine; to ask for one machine there is [`crate::Task::node`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Facts {
    /// Which pool it belongs to.
    pub pool: String,
    /// Which zones are near it.
    pub region: String,
    /// What fails together with it.
    pub zone: String,
    /// What is said about it.
    pub labels: Labels,
    /// What keeps work off it.
    pub taints: Vec<Taint>,
    /// The licence it has.
    pub license: LicenseTier,
    /// How much it has of what.
    pub capacity: Resources,
    /// How much of that is used by others than us.
    pub reserved: Resources,
    /// Its graphics processors.
    pub gpus: Gpus,
    /// Whether more may be promised than there is ([`crate::Settings::overcommit_percent`]).
    pub overcommit: bool,
    /// Images and data that lie there.
    pub data: BTreeSet<String>,
}

impl Machine {
    /// A machine that takes work, in the unnamed zone of the unnamed pool.
    #[must_use]
    pub fn new(id: NodeId, capacity: Resources) -> Self {
        Self {
            id,
            status: NodeStatus::Ready,
            duty: Duty::Open,
            facts: Facts {
                capacity,
                ..Facts::default()
            },
        }
    }
}
