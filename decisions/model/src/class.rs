//! How much work matters.

use serde::{Deserialize, Serialize};

/// How much a task matters; the first matters most.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// What the mission depends on: may use the headroom and evict the others.
    P0,
    /// Services: evicted with a grace period.
    #[default]
    P1,
    /// Batch: evicted at once.
    P2,
}
