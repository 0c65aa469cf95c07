//! Plans are data: complete, and bound to the revision they were made from.

use std::fmt;

use model::{Failure, InstanceId, NodeId, Revision, ServiceName, Slot, Timestamp};
use serde::{Deserialize, Serialize};

/// What must change now, and what waits for what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The revision of the snapshot it was made from; `execute` refuses it at any other one.
    pub revision: Revision,
    /// What must change, in this order.
    pub actions: Vec<Action>,
    /// Slots that are not as wished and can only wait, with the reason.
    pub waiting: Vec<Waiting>,
    /// When time alone makes another plan worthwhile; `None`: only a report or a command can.
    pub wake_at: Option<Timestamp>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Start something for a slot that has nothing.
    Create(Create),
    /// Give an instance that has no node the one it is started on.
    Place(Place),
    /// Ask an instance to end.
    Stop {
        /// Which.
        instance: InstanceId,
        /// Why.
        why: StopReason,
    },
    /// Take note that an instance went down with its node.
    Lose {
        /// Which.
        instance: InstanceId,
    },
    /// Take note that a node was away for too long.
    LoseNode {
        /// Which.
        node: NodeId,
        /// How long it was away.
        away_ms: u64,
    },
    /// Start nothing more for a slot until an operator acts.
    GiveUp {
        /// Which.
        slot: Slot,
        /// What happened, with the last lines of the log where there are some.
        reason: String,
    },
    /// Delete the record of an instance that ended.
    Forget {
        /// Which.
        instance: InstanceId,
    },
}

impl Action {
    /// The service it is about, if it is about one.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Create(create) => Some(&create.id.slot.service),
            Self::Place(place) => Some(&place.instance.slot.service),
            Self::Stop { instance, .. } | Self::Lose { instance } | Self::Forget { instance } => {
                Some(&instance.slot.service)
            }
            Self::GiveUp { slot, .. } => Some(&slot.service),
            Self::LoseNode { .. } => None,
        }
    }

    /// The running instance that it takes away, if it does.
    #[must_use]
    pub fn ends(&self) -> Option<&InstanceId> {
        match self {
            Self::Stop { instance, .. } | Self::Lose { instance } => Some(instance),
            _ => None,
        }
    }
}

/// A new instance, with everything its agent needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    /// Its name: the slot's next generation.
    pub id: InstanceId,
    /// The spec it is started from.
    pub spec_revision: Revision,
    /// Where; absent: somebody else decides that.
    pub node: Option<NodeId>,
    /// The port it gets, if its service wants one.
    pub port: Option<u16>,
    /// Starts in a row without a healthy period, this one included.
    pub attempt: u32,
    /// Never later than the moment of the plan: what must wait is in [`Plan::waiting`].
    pub not_before: Timestamp,
    /// Why it is started.
    pub why: String,
}

/// Where an instance that was created without a node is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which.
    pub instance: InstanceId,
    /// Where.
    pub node: NodeId,
    /// The port it gets, if its service wants one.
    pub port: Option<u16>,
}

/// Why an instance is asked to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// Its service has fewer replicas now.
    ScaledDown {
        /// How many.
        replicas: u32,
    },
    /// Its service is gone.
    Deleted,
    /// Its service's spec changed.
    Outdated {
        /// The revision it runs.
        from: Revision,
        /// The revision it should run.
        to: Revision,
    },
    /// Its node is being emptied, and there is another one in its place.
    Drained {
        /// Which node.
        node: NodeId,
    },
    /// It stopped answering.
    Unresponsive {
        /// The last bad answer.
        why: String,
    },
    /// A newer generation has its slot.
    Superseded,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScaledDown { replicas } => write!(f, "scaled down to {replicas}"),
            Self::Deleted => f.write_str("its service was deleted"),
            Self::Outdated { from, to } => {
                write!(f, "its spec changed (revision {} to {})", from.0, to.0)
            }
            Self::Drained { node } => write!(f, "node {node} is being drained"),
            Self::Unresponsive { why } => write!(f, "stopped answering: {why}"),
            Self::Superseded => f.write_str("a newer generation has its slot"),
        }
    }
}

impl StopReason {
    /// The failure that this amounts to, if it is one.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Unresponsive { why } => Some(Failure::Unresponsive { why: why.clone() }),
            _ => None,
        }
    }
}

/// A slot that can only wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which.
    pub slot: Slot,
    /// For what; its text names the event that ends the wait.
    pub reason: WaitReason,
    /// When waiting alone ends it, if it does.
    pub not_before: Option<Timestamp>,
}

/// What a slot waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// A service it names in `after` has no healthy instance.
    Dependency {
        /// Which service.
        service: ServiceName,
        /// Whether there is such a service.
        exists: bool,
    },
    /// The pause before the next start.
    Backoff {
        /// Which start in a row is next.
        attempt: u32,
        /// What ended the last one.
        after: String,
    },
    /// Its node takes no work.
    NodeNotReady {
        /// Which.
        node: NodeId,
        /// How it is, in a word; `None`: it has not been heard of.
        status: Option<String>,
    },
    /// No node takes work.
    NoNodeReady,
    /// An instance without a node waits for a placement decision.
    Unplaced {
        /// Which.
        instance: InstanceId,
        /// What was said of it last.
        why: String,
    },
    /// Another slot of its service must be healthy before it leaves a node that is being emptied.
    Draining {
        /// Which node.
        node: NodeId,
        /// The slot that is waited for.
        behind: Slot,
    },
    /// Its well-known port belongs to another instance.
    PortHeld {
        /// The port.
        port: u16,
        /// Who has it.
        holder: InstanceId,
    },
    /// Every dynamic port of the node is in use.
    NoPortFree {
        /// Which node.
        node: NodeId,
    },
    /// Its last instance has not ended yet.
    Stopping {
        /// Which.
        instance: InstanceId,
    },
    /// Its instance runs an old spec, and another slot of the service must be healthy first.
    Rollout {
        /// The slot that is waited for.
        behind: Slot,
    },
    /// It was given up; an operator must change the spec or restart it.
    GivenUp {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dependency {
                service,
                exists: true,
            } => {
                write!(f, "waits for a healthy instance of {service}")
            }
            Self::Dependency { service, .. } => {
                write!(
                    f,
                    "waits for {service}, and no service has that name: apply it first"
                )
            }
            Self::Backoff { attempt, after } => write!(f, "start {attempt} waits, after {after}"),
            Self::NodeNotReady {
                node,
                status: Some(status),
            } => {
                write!(f, "node {node} takes no work: it is {status}")
            }
            Self::NodeNotReady { node, .. } => {
                write!(
                    f,
                    "node {node} takes no work: its agent has not connected yet"
                )
            }
            Self::NoNodeReady => f.write_str("no node takes work: start an agent"),
            Self::Unplaced { instance, why } => {
                write!(f, "{instance} waits for a node: {why}")
            }
            Self::Draining { node, behind } => write!(
                f,
                "node {node} is being drained; {behind} must be healthy before it goes"
            ),
            Self::PortHeld { port, holder } => {
                write!(f, "port {port} belongs to {holder} until that ends")
            }
            Self::NoPortFree { node } => write!(f, "no port of 12000-19999 is free on {node}"),
            Self::Stopping { instance } => write!(f, "{instance} has not ended yet"),
            Self::Rollout { behind } => {
                write!(
                    f,
                    "its spec changed; {behind} must be healthy before it is replaced"
                )
            }
            Self::GivenUp { reason } => {
                write!(f, "given up: {reason}; change the spec or restart it")
            }
        }
    }
}
