//! What is to be placed.

use model::{
    Affinity, Class, GpuRequest, LicenseTier, NodeId, Requirement, Resources, Spread, Toleration,
};
use serde::{Deserialize, Serialize};

/// What one instance asks for. Two tasks with equal fields are interchangeable: the engine keeps
/// one index for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Task {
    /// What it is one of; the name that spread and affinities go by.
    pub group: String,
    /// How much it matters.
    pub class: Class,
    /// Whose quota it counts against; empty: nobody's.
    pub tenant: String,
    /// Machines of this pool only.
    pub pool: String,
    /// This machine and no other.
    pub node: Option<NodeId>,
    /// How much of what.
    pub request: Resources,
    /// Graphics processors.
    pub gpu: Option<GpuRequest>,
    /// What the machine's labels have to say.
    pub requirements: Vec<Requirement>,
    /// Which taints it does not mind.
    pub tolerations: Vec<Toleration>,
    /// One of these regions; empty: any.
    pub regions: Vec<String>,
    /// One of these zones; empty: any.
    pub zones: Vec<String>,
    /// Ports of the machine that it needs for itself.
    pub ports: Vec<u16>,
    /// The licence that the machine has to have, or a higher one.
    pub license: LicenseTier,
    /// How evenly its group lies over the zones.
    pub spread: Option<Spread>,
    /// Near whom, and far from whom.
    pub affinities: Vec<Affinity>,
    /// Images and data that it reads: better where they are already.
    pub data: Vec<String>,
}

/// Where a task is, or is to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    /// The machine.
    pub node: NodeId,
    /// Which of its graphics processors, from 0.
    #[serde(default)]
    pub devices: Vec<u16>,
}

/// A task with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Unique among all that is placed.
    pub id: String,
    /// What it asks for.
    pub task: Task,
    /// Tasks of one gang are placed together or not at all.
    #[serde(default)]
    pub gang: Option<String>,
}
