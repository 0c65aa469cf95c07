//! What a decision changed: records to persist, and events in words an operator reads.

use std::fmt;

use model::{
    Instance, InstanceId, Node, NodeId, Revision, ServiceName, ServiceSpec, Slot, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{Leader, SlotRecord, Snapshot};

/// One record to put or delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// A wish was made or changed.
    PutSpec(Box<ServiceSpec>),
    /// A wish was withdrawn.
    DeleteSpec(ServiceName),
    /// A fact appeared or changed.
    PutInstance(Box<Instance>),
    /// An old fact is forgotten.
    DeleteInstance(InstanceId),
    /// What is remembered of a slot changed. Slots are never deleted.
    PutSlot(Slot, SlotRecord),
    /// A node appeared or changed.
    PutNode(Node),
    /// A node left the fleet.
    DeleteNode(NodeId),
    /// Another replica of the placer decides from now on; one key, overwritten each time.
    PutLeader(Leader),
    /// The revision of the state that these changes lead to; one key, overwritten each time.
    PutRevision(Revision),
}

/// A record to persist, an event to keep, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The record.
    pub write: Option<Write>,
    /// What an operator is told.
    pub event: Option<Event>,
}

/// What happened, to what, when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// To what.
    pub subject: Subject,
    /// What happened.
    pub kind: EventKind,
    /// Why, as a fragment that follows the kind.
    pub why: String,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A service.
    Service(ServiceName),
    /// A replica of a service.
    Slot(Slot),
    /// One process of a slot.
    Instance(InstanceId),
    /// A machine.
    Node(NodeId),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A spec was made or changed.
    Applied,
    /// The number of replicas changed.
    Scaled,
    /// A service was deleted.
    Deleted,
    /// An operator asked for a restart.
    RestartAsked,
    /// An instance was created; where it will run is not decided yet.
    Pending,
    /// An instance was given to a node.
    Scheduled,
    /// Its process runs.
    Started,
    /// It is ready.
    Healthy,
    /// It does not answer as it should.
    Unhealthy,
    /// It was asked to end.
    Stopping,
    /// It ended because it was asked to.
    Stopped,
    /// It ended, or could not be started, without being asked to.
    Failed,
    /// Its node is gone.
    Lost,
    /// A slot is left alone until an operator acts.
    GaveUp,
    /// A node came, went, or was cordoned.
    NodeChanged,
    /// One of its replicas decides from now on.
    Elected,
}

impl EventKind {
    /// The word shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Scaled => "scaled",
            Self::Deleted => "deleted",
            Self::RestartAsked => "restart asked for",
            Self::Pending => "pending",
            Self::Scheduled => "scheduled",
            Self::Started => "started",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::GaveUp => "given up",
            Self::NodeChanged => "node",
            Self::Elected => "elected",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(name) => name.fmt(f),
            Self::Slot(slot) => slot.fmt(f),
            Self::Instance(id) => id.fmt(f),
            Self::Node(node) => node.fmt(f),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.kind)?;
        if self.why.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.why)
    }
}

/// Changes the snapshot and keeps the list of what it changed, so that the two cannot differ.
pub(crate) struct Ledger<'a> {
    pub(crate) snapshot: &'a mut Snapshot,
    pub(crate) now: Timestamp,
    changes: Vec<Change>,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(snapshot: &'a mut Snapshot, now: Timestamp) -> Self {
        Self {
            snapshot,
            now,
            changes: Vec::new(),
        }
    }

    /// Changes a record without telling anybody.
    pub(crate) fn write(&mut self, write: Write) {
        self.snapshot.apply(write.clone());
        self.changes.push(Change {
            write: Some(write),
            event: None,
        });
    }

    /// Changes a record and says why.
    pub(crate) fn tell(
        &mut self,
        write: Write,
        subject: Subject,
        kind: EventKind,
        why: impl Into<String>,
    ) {
        self.snapshot.apply(write.clone());
        self.changes.push(Change {
            write: Some(write),
            event: Some(Event {
                at: self.now,
                subject,
                kind,
                why: why.into(),
            }),
        });
    }

    /// The changes; one more revision when there are any.
    pub(crate) fn finish(mut self) -> Vec<Change> {
        if !self.changes.is_empty() {
            let next = Revision(self.snapshot.revision.0 + 1);
            self.write(Write::PutRevision(next));
        }
        self.changes
    }
}
