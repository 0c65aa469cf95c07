//! What would happen, and why things are as they are.

use rpc::{Deserializable, Serializable};

/// A change to look at before it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct PlanArgs {
    /// The change; absent: what scheduling itself is about to do.
    #[serde(default)]
    pub change: Option<ProposedChange>,
}

/// A change somebody may make.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum ProposedChange {
    /// As `apply` with this TOML.
    Apply {
        /// One spec, or several as `[[service]]`.
        spec: String,
    },
    /// As `scale_service`.
    Scale {
        /// Which service.
        name: String,
        /// How many.
        replicas: i32,
    },
    /// As `restart`.
    Restart {
        /// A service or an instance.
        target: String,
    },
    /// As `delete_service`.
    Delete {
        /// Which service.
        name: String,
    },
}

/// What the change would cause.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct PlanReply {
    /// The state it was planned from.
    pub revision: u64,
    /// Everything that would be done until there is nothing more to do, in order, if every start
    /// succeeds.
    pub actions: Vec<PlannedAction>,
    /// Slots that could then only wait.
    pub waiting: Vec<WaitingSlot>,
}

/// One thing that would be done.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct PlannedAction {
    /// `create`, `stop`, `give_up` or `lose`.
    pub verb: String,
    /// An instance or a slot.
    pub subject: String,
    /// Where, for `create`: node and port.
    pub place: String,
    /// Why.
    pub why: String,
}

/// A slot that is not as wished and can only wait.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct WaitingSlot {
    /// Which, as in `echo.2`.
    pub slot: String,
    /// For what.
    pub reason: String,
    /// When waiting alone ends it, in milliseconds since the Unix epoch.
    pub until_ms: Option<u64>,
}

/// What to explain.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ExplainArgs {
    /// An instance (`echo.2.7`), a slot (`echo.2`) or a service (`echo`).
    pub target: String,
}

/// Why it is so.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ExplainReply {
    /// What it is about.
    pub subject: String,
    /// Its state in a word or two.
    pub state: String,
    /// Why, in sentences, the most important first.
    pub because: Vec<String>,
    /// What an operator could do about it; empty when all is well.
    pub next: Vec<String>,
    /// What happened to it lately, oldest first.
    pub events: Vec<super::feeds::EventItem>,
    /// The state this was read from.
    pub revision: u64,
}
