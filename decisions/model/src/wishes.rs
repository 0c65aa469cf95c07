//! What a service asks of the machines that it runs on.

use serde::{Deserialize, Serialize};

use crate::{Class, GpuRequest, LicenseTier, Requirement, Resources, Toleration};

/// What a service asks of the machines that it runs on, for each of its instances. What is not
/// said asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wishes {
    /// How much it matters.
    pub class: Class,
    /// Whose quota it counts against; empty: nobody's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// Machines of this pool only.
    pub pool: String,
    /// How much of what is kept for it; of what is not named, as much as it is limited to.
    pub request: Resources,
    /// Graphics processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuRequest>,
    /// What the machine's labels have to say.
    pub requirements: Vec<Requirement>,
    /// Which taints it does not mind.
    pub tolerations: Vec<Toleration>,
    /// One of these regions; empty: any.
    pub regions: Vec<String>,
    /// One of these zones; empty: any.
    pub zones: Vec<String>,
    /// Ports of the machine that it needs for itself, beside the one it is given.
    pub ports: Vec<u16>,
    /// The licence that the machine has to have, or a higher one.
    pub license: LicenseTier,
    /// How evenly it lies over the zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// Near whom, and far from whom.
    pub affinities: Vec<Affinity>,
    /// Images and data that it reads: better where they are already.
    pub data: Vec<String>,
}

impl Wishes {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How evenly a group lies over the zones that could take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The fullest zone may have at most so many more of the group than the emptiest.
    pub max_skew: u32,
    /// Whether that is a must, or only better.
    pub strength: Strength,
}

/// Near whom, or far from whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affinity {
    /// Instances of this group.
    pub group: String,
    /// How near.
    pub within: Topology,
    /// Together, or apart.
    pub wish: Wish,
    /// Whether that is a must, or only better.
    pub strength: Strength,
}

/// What counts as one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    /// One machine.
    Node,
    /// Machines that fail together.
    Zone,
    /// Zones that are near each other.
    Region,
}

/// Whether to be with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// Where they are.
    Together,
    /// Where they are not; a hard one also keeps them away from where it is.
    Apart,
}

/// How much a wish counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// A must.
    Hard,
    /// Better, weighed against what else is better.
    Soft,
}
