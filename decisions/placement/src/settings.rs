//! How the fleet is to be filled.

use std::collections::BTreeMap;

use model::Resources;
use serde::{Deserialize, Serialize};

/// In a quota: how many instances.
pub const INSTANCES: &str = "instances";
/// In a quota: thousandths of graphics processors.
pub const GPU_MILLI: &str = "gpu_milli";

/// How the fleet is to be filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// This share of every amount is kept for class P0, in percent. Graphics processors are handed
    /// out one by one, so none are kept.
    pub headroom_percent: u32,
    /// How much of a resource may be promised on machines with [`crate::Facts::overcommit`], in
    /// percent of what is there; what is not named is promised once.
    pub overcommit_percent: BTreeMap<String, u32>,
    /// How much each tenant may have at once, all machines together: amounts by their names, and
    /// [`INSTANCES`] and [`GPU_MILLI`]. What is not named has no limit.
    pub quotas: BTreeMap<String, Resources>,
    /// What counts how much when a place is chosen.
    pub weights: Weights,
    /// The same for some pools.
    pub pools: BTreeMap<String, Weights>,
    /// How many (kind of task, machine) scores are kept; about 16 bytes each.
    pub scores_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            headroom_percent: 15,
            overcommit_percent: BTreeMap::new(),
            quotas: BTreeMap::new(),
            weights: Weights::default(),
            pools: BTreeMap::new(),
            scores_max: 16_000_000,
        }
    }
}

impl Settings {
    /// What counts how much in a pool.
    #[must_use]
    pub fn weights_of(&self, pool: &str) -> &Weights {
        self.pools.get(pool).unwrap_or(&self.weights)
    }
}

/// What counts how much. Each score is between 0 and 1; the sum of the weighted scores decides, and
/// among equals the smallest name. So with no fit at all ([`Weights::first_fit`]) the first machine
/// by name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// The machine with the least left over.
    #[serde(default)]
    pub best_fit: u32,
    /// The machine with the most left over.
    #[serde(default)]
    pub worst_fit: u32,
    /// The machine whose free amounts are least like what is asked for.
    #[serde(default)]
    pub dot_product: u32,
    /// The machine that stays the most usable for what is expected ([`crate::Cluster::expect`]).
    #[serde(default)]
    pub fragmentation: u32,
    /// The zone with the fewest of the group.
    #[serde(default = "even")]
    pub spread: u32,
    /// Soft affinities.
    #[serde(default = "even")]
    pub affinity: u32,
    /// Where the data is.
    #[serde(default = "even")]
    pub locality: u32,
    /// Off machines that prefer not to be used.
    #[serde(default = "even")]
    pub taints: u32,
}

fn even() -> u32 {
    4
}

impl Default for Weights {
    fn default() -> Self {
        Self::best_fit()
    }
}

impl Weights {
    /// The first machine by name that fits.
    #[must_use]
    pub fn first_fit() -> Self {
        Self {
            best_fit: 0,
            worst_fit: 0,
            dot_product: 0,
            fragmentation: 0,
            spread: even(),
            affinity: even(),
            locality: even(),
            taints: even(),
        }
    }

    /// The machine with the least left over: the default.
    #[must_use]
    pub fn best_fit() -> Self {
        Self {
            best_fit: 1,
            ..Self::first_fit()
        }
    }

    /// The machine with the most left over.
    #[must_use]
    pub fn worst_fit() -> Self {
        Self {
            worst_fit: 1,
            ..Self::first_fit()
        }
    }

    /// The machine that stays the most usable for what is expected.
    #[must_use]
    pub fn fragmentation_aware() -> Self {
        Self {
            fragmentation: 1,
            ..Self::first_fit()
        }
    }

    /// The machine whose free amounts are least like what is asked for.
    #[must_use]
    pub fn dot_product() -> Self {
        Self {
            dot_product: 1,
            ..Self::first_fit()
        }
    }
}
