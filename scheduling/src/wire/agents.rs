//! Between scheduling and its agents.
//!
//! Assignments and reports travel as JSON texts of the records that `decisions/reconciliation`
//! defines: the frames stay plain data, and an agent that is older or newer says which field it
//! does not understand instead of reading bytes wrongly.

use rpc::{Deserializable, Serializable};

/// Which node asks.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct AssignmentsArgs {
    /// Its name. A node that was not known is known from now on.
    pub node: String,
}

/// A part of what a node should be doing.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct AssignmentsItem {
    /// The state it comes from.
    pub revision: u64,
    /// Forget everything that was told before this item.
    pub reset: bool,
    /// With this item what was told is whole, as of `revision`; act on it. A large set comes in
    /// several items, and acting on a part of it would end what the rest names.
    pub whole: bool,
    /// Assignments that are new or changed, in JSON.
    pub put: Vec<String>,
    /// Instances that the node should no longer have anything to do with.
    pub gone: Vec<String>,
}

/// What an agent saw.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ReportArgs {
    /// Its node.
    pub node: String,
    /// The reports in JSON, in the order in which it saw them.
    pub reports: Vec<String>,
}

/// They are durable.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ReportReply {
    /// The state that knows of them.
    pub revision: u64,
    /// Why some of them changed nothing, in sentences; repetitions are not among them.
    pub ignored: Vec<String>,
}

/// Which instances of a node need a token.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct InstanceTokensArgs {
    /// The node's name.
    pub node: String,
    /// Instances that were given to it; none to learn only what the fleet is like.
    pub instances: Vec<String>,
}

/// Who they are, signed.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct InstanceTokensReply {
    /// What verifies them; empty in a fleet that asks nobody for a token.
    pub fleet_key: String,
    /// How long they last, in milliseconds.
    pub lifetime_ms: u64,
    /// One for each instance, in the order in which they were asked for.
    pub tokens: Vec<String>,
}
