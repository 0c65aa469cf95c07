//! Machines: what they say of themselves, and what they are used for.

use std::collections::BTreeMap;

use rpc::{Deserializable, Serializable};

/// The machines.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct NodesReply {
    /// By name.
    pub nodes: Vec<NodeInfo>,
    /// The state this was read from.
    pub revision: u64,
}

/// One machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct NodeInfo {
    /// Its name.
    pub name: String,
    /// `ready`, `cordoned`, `draining`, `away` or `lost`.
    pub status: String,
    /// Since when it is heard of, or not, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Instances that have not ended.
    pub instances: u32,
    /// Of these, how many are healthy.
    pub healthy: u32,
    /// Whether scheduling itself runs there.
    pub local: bool,
    /// What an instance can be limited in there, in a sentence; empty where it is not known.
    pub limits: String,
    /// What it says of itself.
    pub facts: NodeFactsInfo,
}

/// What a machine says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct NodeFactsInfo {
    /// The IP address that instances there listen on.
    pub host: String,
    /// What it has, by name: `cpu_millicores`, `memory_bytes`, `disk_bytes`, `pids`, and whatever
    /// else its operator names.
    pub resources: BTreeMap<String, u64>,
    /// What it is, for whoever asks for that.
    pub labels: BTreeMap<String, String>,
    /// What keeps work away that does not tolerate it.
    pub taints: BTreeMap<String, String>,
    /// What fails together.
    pub zone: String,
    /// What is near each other.
    pub region: String,
}

impl From<model::NodeFacts> for NodeFactsInfo {
    fn from(facts: model::NodeFacts) -> Self {
        Self {
            host: facts.host,
            resources: facts.resources.0,
            labels: facts.labels,
            taints: facts.taints,
            zone: facts.zone,
            region: facts.region,
        }
    }
}

impl From<NodeFactsInfo> for model::NodeFacts {
    fn from(info: NodeFactsInfo) -> Self {
        Self {
            host: info.host,
            resources: model::Resources(info.resources),
            labels: info.labels,
            taints: info.taints,
            zone: info.zone,
            region: info.region,
        }
    }
}

/// A machine introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DescribeNodeArgs {
    /// Its name.
    pub node: String,
    /// What it says of itself.
    pub facts: NodeFactsInfo,
}

/// It is known, durably.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DescribeNodeReply {
    /// The state that knows of it.
    pub revision: u64,
}

/// What a machine is used for from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SetDutyArgs {
    /// Its name.
    pub node: String,
    /// `open`: it takes work. `cordoned`: it keeps what it has and gets nothing new. `draining`:
    /// what it has is moved elsewhere too, and never before there is another one in its place.
    pub duty: String,
}

/// It is used so, durably.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SetDutyReply {
    /// Whether it was used otherwise before.
    pub changed: bool,
    /// Instances that have not ended there.
    pub instances: u32,
    /// The state that knows of it.
    pub revision: u64,
}

/// Which machine to forget: one that is lost, or that has nothing and takes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RemoveNodeArgs {
    /// Its name.
    pub node: String,
}

/// It is forgotten, durably.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RemoveNodeReply {
    /// The state that has forgotten it.
    pub revision: u64,
}
