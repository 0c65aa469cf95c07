//! What agents are to do, kept up to date for each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::NodeId;
use reconciliation::{Assignments, Snapshot, assignments};
use tokio::sync::watch;

/// What one agent gets.
pub(crate) type Assigned = watch::Receiver<Option<Arc<Assignments>>>;

/// One channel for each node that has an agent. It holds the newest assignments only: an agent
/// that was busy skips what was between.
#[derive(Default)]
pub(super) struct Agents(BTreeMap<NodeId, watch::Sender<Option<Arc<Assignments>>>>);

impl Agents {
    pub(super) fn subscribe(&mut self, node: &NodeId, snapshot: &Snapshot) -> Assigned {
        let sender = self.0.entry(node.clone()).or_insert_with(|| {
            let all = Arc::new(assignments(snapshot, node));
            watch::Sender::new(Some(all))
        });
        sender.subscribe()
    }

    /// Tells those whose assignments changed.
    pub(super) fn publish(&mut self, snapshot: &Snapshot) {
        self.0.retain(|_, sender| sender.receiver_count() > 0);
        for (node, sender) in &self.0 {
            let next = assignments(snapshot, node);
            sender.send_if_modified(|current| {
                let same = current.as_ref().is_some_and(|c| c.items == next.items);
                if !same {
                    *current = Some(Arc::new(next));
                }
                !same
            });
        }
    }
}
