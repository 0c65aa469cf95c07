//! What travels: arguments and results, plain data.

use rpc::{Deserializable, Serializable};

/// Where would more of it go?
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct PreviewArgs {
    /// A service; it need not exist if `wishes` says what it asks for.
    pub service: String,
    /// What one instance asks for, as JSON of `model::Wishes`; absent: what the service asks for.
    pub wishes: Option<String>,
    /// How many more, at most [`crate::PREVIEW_MAX`].
    pub count: u32,
}

/// As things are now. Nothing is kept for it.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct PreviewReply {
    /// Machine and how many of them, by machine.
    pub placed: Vec<(String, u32)>,
    /// How many find no place.
    pub nowhere: u32,
    /// Why the first of those finds none, and what would help; empty if all find one.
    pub why: String,
}

/// Why it is where it is, or nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ExplainArgs {
    /// A service (where one more of it would go), or an instance.
    pub target: String,
    /// Machines to list, the best or nearest first.
    pub machines_max: u32,
}

/// Machine by machine.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ExplainReply {
    /// What it is about.
    pub target: String,
    /// Where it is, if it is somewhere.
    pub node: Option<String>,
    /// In a sentence.
    pub because: String,
    /// When no machine takes it: the least that would have to change, and where; empty otherwise.
    pub least: String,
    /// How many machines there are that could be listed.
    pub machines_all: u64,
    /// The machines, the best or nearest first.
    pub machines: Vec<MachineVerdict>,
}

/// What one machine has to say to it.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct MachineVerdict {
    /// Its name.
    pub node: String,
    /// Whether it would take it.
    pub fits: bool,
    /// Every rule, in order.
    pub checks: Vec<CheckVerdict>,
}

/// What one rule says of it on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct CheckVerdict {
    /// The rule.
    pub rule: String,
    /// Whether it is kept.
    pub holds: bool,
    /// What is left, or what would have to change.
    pub says: String,
}

/// How it does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct StatsReply {
    /// Whether this replica decides.
    pub leads: bool,
    /// Machines that it knows.
    pub machines: u64,
    /// Instances that have a place.
    pub placed: u64,
    /// Instances that wait for one.
    pub waiting: u64,
    /// Decisions since it started.
    pub decisions: u64,
    /// Of these, how many were taken.
    pub taken: u64,
    /// How many were refused, and decided again.
    pub refused: u64,
    /// How many found no place.
    pub nowhere: u64,
    /// Median time to decide, in microseconds, of the last decisions.
    pub decide_us_p50: u64,
    /// 99 of 100 are faster.
    pub decide_us_p99: u64,
    /// Median time from waiting to placed, durably, in milliseconds, of the last ones.
    pub placed_ms_p50: u64,
    /// 99 of 100 are faster.
    pub placed_ms_p99: u64,
    /// When something finds no place on any machine: what it asks for, as a sentence; empty
    /// otherwise.
    pub scale_up: String,
}

/// Who decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct LeaderReply {
    /// The replica; empty while it is not known.
    pub leader: String,
    /// What it was elected with.
    pub generation: u64,
    /// Whether it is the one that answers.
    pub here: bool,
}

/// It decides no more, until it is elected again.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ResignReply {
    /// Whether it led before.
    pub led: bool,
}
