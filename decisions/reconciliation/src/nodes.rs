//! What is asked for, and taken note of, of nodes.

use model::{Duty, Node, NodeFacts, NodeId, NodeStatus, Timestamp};

use crate::change::Ledger;
use crate::{Change, CommandError, EventKind, Snapshot, Subject, Write};

/// Takes note of how a node is; one that was not known is known from now on.
pub(crate) fn set_status(
    snapshot: &mut Snapshot,
    id: NodeId,
    status: NodeStatus,
    now: Timestamp,
) -> Vec<Change> {
    let old = snapshot.nodes.get(&id);
    if old.is_some_and(|node| node.status == status) {
        return Vec::new();
    }
    let known = old.cloned();
    let mut node = known.unwrap_or_else(|| Node::new(id, status, now));
    (node.status, node.since) = (status, now);
    put(snapshot, node, now)
}

/// Takes note of what a node says of itself.
pub(crate) fn describe(
    snapshot: &mut Snapshot,
    id: &NodeId,
    facts: NodeFacts,
    now: Timestamp,
) -> Result<Vec<Change>, CommandError> {
    let node = known(snapshot, id)?;
    if node.facts == facts {
        return Ok(Vec::new());
    }
    let mut ledger = Ledger::new(snapshot, now);
    ledger.write(Write::PutNode(Node { facts, ..node }));
    Ok(ledger.finish())
}

/// Uses a node otherwise.
pub(crate) fn set_duty(
    snapshot: &mut Snapshot,
    id: &NodeId,
    duty: Duty,
    now: Timestamp,
) -> Result<Vec<Change>, CommandError> {
    let node = known(snapshot, id)?;
    if node.duty == duty {
        return Ok(Vec::new());
    }
    Ok(put(snapshot, Node { duty, ..node }, now))
}

/// Forgets a node that can have nothing any more.
pub(crate) fn remove(
    snapshot: &mut Snapshot,
    id: NodeId,
    now: Timestamp,
) -> Result<Vec<Change>, CommandError> {
    let node = known(snapshot, &id)?;
    let in_use = |why: String| {
        let node = id.clone();
        Err(CommandError::NodeInUse { node, why })
    };
    if node.takes_work() {
        return in_use(format!("it takes work; `orrery node drain {id}` first"));
    }
    let live = snapshot
        .instances
        .values()
        .filter(|i| i.node.as_ref() == Some(&id) && !i.state.is_terminal());
    let live = live.count();
    if live > 0 && node.status != NodeStatus::Lost {
        let plural = if live == 1 { "" } else { "s" };
        return in_use(format!(
            "it has {live} instance{plural}; `orrery node drain {id}` moves them"
        ));
    }
    let mut ledger = Ledger::new(snapshot, now);
    let (write, subject) = (Write::DeleteNode(id.clone()), Subject::Node(id));
    ledger.tell(write, subject, EventKind::NodeChanged, "removed");
    Ok(ledger.finish())
}

fn known(snapshot: &Snapshot, id: &NodeId) -> Result<Node, CommandError> {
    let node = snapshot.nodes.get(id).cloned();
    node.ok_or_else(|| CommandError::UnknownNode { node: id.clone() })
}

fn put(snapshot: &mut Snapshot, node: Node, now: Timestamp) -> Vec<Change> {
    let mut ledger = Ledger::new(snapshot, now);
    let (subject, why) = (Subject::Node(node.id.clone()), node.as_str());
    ledger.tell(Write::PutNode(node), subject, EventKind::NodeChanged, why);
    ledger.finish()
}
