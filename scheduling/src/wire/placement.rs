//! Between scheduling and whoever says where things run.
//!
//! What services ask for travels as JSON text of [`model::Wishes`], as assignments do: a placer
//! that is older says which field it does not understand.

use rpc::{Deserializable, Serializable};

use super::nodes::NodeFactsInfo;

/// From where to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct PlacementsArgs {
    /// Tell what came after this revision; absent, or too old: everything first.
    pub from_revision: Option<u64>,
}

/// What changed of what a placer decides from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct PlacementsItem {
    /// The state after it; what to watch from if the stream is lost.
    pub revision: u64,
    /// Forget what was told before.
    pub reset: bool,
    /// With this item what was told is whole, as of `revision`; decide from it. A large state comes
    /// in several items.
    pub whole: bool,
    /// Machines that are new or changed.
    pub machines: Vec<MachineInfo>,
    /// Machines that are gone.
    pub machines_gone: Vec<String>,
    /// Services that are new or changed.
    pub services: Vec<ServiceWishes>,
    /// Services that are gone.
    pub services_gone: Vec<String>,
    /// Instances that are new or changed, and have not ended.
    pub tasks: Vec<TaskInfo>,
    /// Instances that have ended.
    pub tasks_gone: Vec<String>,
}

/// A machine, as a placer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct MachineInfo {
    /// Its name.
    pub name: String,
    /// `ready`, `cordoned`, `draining`, `away` or `lost`.
    pub status: String,
    /// What it says of itself.
    pub facts: NodeFactsInfo,
}

/// What a service asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ServiceWishes {
    /// Its name.
    pub service: String,
    /// The one machine it runs on.
    pub node: Option<String>,
    /// How many instances are wished for.
    pub replicas: u32,
    /// In JSON; the limits of the spec are in its `request`.
    pub wishes: String,
}

/// An instance that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct TaskInfo {
    /// Its id, as in `echo.2.7`.
    pub instance: String,
    /// Where it is; absent: it waits for a decision.
    pub node: Option<String>,
    /// Since when, in milliseconds since the Unix epoch.
    pub since_ms: u64,
}

/// Where instances that wait are to run.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct PlaceArgs {
    /// What whoever decided was elected with ([`LeadItem::generation`]).
    pub generation: u64,
    /// Each is taken or refused for itself.
    pub decisions: Vec<Placement>,
}

/// A decision about one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Placement {
    /// Which.
    pub instance: String,
    /// Where it is started; absent: there is no place for it now.
    pub node: Option<String>,
    /// Why there, or why not, as a fragment.
    pub why: String,
}

/// What was taken, durably.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct PlaceReply {
    /// For each decision, in order, why it was refused; absent: it was taken.
    pub refused: Vec<Option<String>>,
    /// The state that knows of it.
    pub revision: u64,
}

/// Somebody would lead.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct LeadArgs {
    /// What it calls itself; unlike all others.
    pub candidate: String,
}

/// Who leads now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct LeadItem {
    /// What it calls itself; empty while nobody leads.
    pub leader: String,
    /// What it was elected with; what an older one decides is refused.
    pub generation: u64,
    /// Whoever does not renew for so long, in milliseconds, is no candidate any more.
    pub ttl_ms: u64,
}

/// It still is there.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RenewArgs {
    /// What it calls itself.
    pub candidate: String,
}

/// It counts for so long again.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RenewReply {
    /// Who leads now.
    pub lead: LeadItem,
}
