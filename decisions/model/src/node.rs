//! Machines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Labels, NodeId, Resources, Timestamp};

/// Whether a node's agent is heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStatus {
    /// Its agent is connected.
    Ready,
    /// Its agent is not heard of; what runs there runs on, as far as anybody knows.
    Away,
    /// It was away for too long: what ran there counts as gone.
    Lost,
}

/// What an operator wishes a node to be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// It takes work.
    #[default]
    Open,
    /// It keeps what it has and gets nothing new.
    Cordoned,
    /// What it has is moved elsewhere, and it gets nothing new.
    Draining,
}

/// What a machine says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFacts {
    /// The IP address that instances there listen on.
    #[serde(default)]
    pub host: String,
    /// What it has, and whatever else its operator names.
    #[serde(default)]
    pub resources: Resources,
    /// What it is, for whoever asks for that.
    #[serde(default)]
    pub labels: Labels,
    /// What keeps work away that does not tolerate it.
    #[serde(default)]
    pub taints: BTreeMap<String, String>,
    /// What fails together.
    #[serde(default)]
    pub zone: String,
    /// What is near each other.
    #[serde(default)]
    pub region: String,
}

/// One machine of the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// Whether it is heard of.
    pub status: NodeStatus,
    /// What it is used for.
    #[serde(default)]
    pub duty: Duty,
    /// Since when its status is what it is.
    pub since: Timestamp,
    /// What it says of itself.
    #[serde(default)]
    pub facts: NodeFacts,
}

impl Node {
    /// One that was not known before.
    #[must_use]
    pub fn new(id: NodeId, status: NodeStatus, since: Timestamp) -> Self {
        Self {
            id,
            status,
            duty: Duty::Open,
            since,
            facts: NodeFacts::default(),
        }
    }
}

impl Node {
    /// Whether it may be given work.
    #[must_use]
    pub fn takes_work(&self) -> bool {
        self.status == NodeStatus::Ready && self.duty == Duty::Open
    }

    /// The word shown to people.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match (self.status, self.duty) {
            (NodeStatus::Lost, _) => "lost",
            (NodeStatus::Away, _) => "away",
            (NodeStatus::Ready, Duty::Open) => "ready",
            (NodeStatus::Ready, Duty::Cordoned) => "cordoned",
            (NodeStatus::Ready, Duty::Draining) => "draining",
        }
    }
}
