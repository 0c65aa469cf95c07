//! A newer version on its way.

use std::collections::BTreeMap;

use rpc::{Deserializable, Serializable};

use super::instances::InstanceInfo;

/// What runs a service.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Version {
    /// The program.
    pub program: Program,
    /// Extra environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// A binary of a Cargo package.
    Cargo {
        /// Path of the package's `Cargo.toml`; a relative one counts from where scheduling runs.
        manifest_path: String,
        /// The binary target.
        bin_name: String,
    },
    /// A program with its arguments.
    Command {
        /// Path, or a name looked up in `PATH`.
        program: String,
        /// One each.
        args: Vec<String>,
    },
}

/// Takes a newer version one step further.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RollArgs {
    /// Of which service.
    pub service: String,
    /// Who rolls it out: what somebody else began is left alone.
    pub by: String,
    /// How.
    pub step: RollStep,
}

/// One step of a newer version's way.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum RollStep {
    /// Slots from `from` on run this; `surge` slots are added to what is wished for.
    Run {
        /// What they run.
        version: Version,
        /// From which slot on; beyond the last one: nowhere.
        from: u32,
        /// How many more slots there are meanwhile.
        surge: u32,
    },
    /// It is the version from now on, everywhere. Nothing happens if it is not on its way.
    Promote,
    /// It never was. Nothing happens if it is not on its way.
    Withdraw,
}

/// A step that is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RollReply {
    /// The state that knows of it.
    pub revision: u64,
}

/// Asks how far a newer version has come.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RolloutArgs {
    /// Of which service.
    pub service: String,
}

/// A version on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct NextVersion {
    /// Who rolls it out.
    pub by: String,
    /// What it is.
    pub version: Version,
    /// Slots from this one on run it.
    pub from: u32,
    /// How many slots there are beyond what is wished for.
    pub surge: u32,
    /// Instances with this `spec_revision` are its.
    pub spec_revision: u64,
}

/// How far a newer version has come, all as of one state.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RolloutReply {
    /// How many replicas are wished for.
    pub replicas: u32,
    /// The version that the service has.
    pub version: Version,
    /// Instances with this `spec_revision` are its.
    pub spec_revision: u64,
    /// The version that is on its way, if any.
    pub next: Option<NextVersion>,
    /// All instances, those that ended and are remembered included.
    pub instances: Vec<InstanceInfo>,
    /// The state this was read from.
    pub revision: u64,
}
