//! A newer version on its way.

use std::collections::BTreeMap;

use model::Artifact;
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

impl From<Program> for Artifact {
    fn from(program: Program) -> Self {
        match program {
            Program::Cargo {
                manifest_path,
                bin_name,
            } => Self::Cargo {
                manifest_path,
                bin_name,
            },
            Program::Command { program, args } => Self::Command { program, args },
        }
    }
}

impl From<Artifact> for Program {
    fn from(artifact: Artifact) -> Self {
        match artifact {
            Artifact::Cargo {
                manifest_path,
                bin_name,
            } => Self::Cargo {
                manifest_path,
                bin_name,
            },
            Artifact::Command { program, args } => Self::Command { program, args },
        }
    }
}

/// Takes a newer version one step further.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RollArgs {
    /// Of which service.
    pub service: String,
    /// Who rolls it out: what somebody else began is left alone.
    pub by: String,
    /// Larger than [`RolloutReply::rolled`] when it begins, and the same to its end: what comes
    /// late of a version whose way is over is refused by it.
    pub fence: u64,
    /// How.
    pub step: RollStep,
}

/// One step of a newer version's way.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum RollStep {
    /// It begins: it is built, slots from `from` on run it, and `surge` slots are added to what is
    /// wished for. Nothing happens, and nothing is built, if it is on its way already.
    Begin {
        /// What they run.
        version: Version,
        /// From which slot on.
        from: u32,
        /// How many more slots there are meanwhile.
        surge: u32,
        /// The [`RolloutReply::spec_revision`] that this was decided from; refused if it moved.
        onto: u64,
    },
    /// It goes further, or back. Nothing is built. Refused if it is not on its way.
    Move {
        /// From which slot on; beyond the last one: nowhere.
        from: u32,
        /// How many more slots there are meanwhile.
        surge: u32,
    },
    /// It is the version from now on, everywhere; refused while not all slots run it. Nothing
    /// happens if it is not on its way.
    Promote,
    /// It never was, and cannot begin any more, also if it never did.
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
    /// As it was begun with.
    pub fence: u64,
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
    /// The largest fence of a version whose way is over; 0 if there was none.
    pub rolled: u64,
    /// All instances, those that ended and are remembered included.
    pub instances: Vec<InstanceInfo>,
    /// The state this was read from.
    pub revision: u64,
}
