//! Machines.

use serde::{Deserialize, Serialize};

use crate::{NodeId, Timestamp};

/// Whether a node may be given work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStatus {
    /// Its agent is connected.
    Ready,
    /// It keeps what it has and gets nothing new.
    Cordoned,
    /// Its lease ended.
    Lost,
}

/// One machine of the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// Whether it may be given work.
    pub status: NodeStatus,
    /// Since when.
    pub since: Timestamp,
}
