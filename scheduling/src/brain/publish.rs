//! What agents are to do, kept up to date for each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::NodeId;
use reconciliation::{Assignments, Snapshot, assignments, assignments_of};
use tokio::sync::watch;

use super::feed::Touched;

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

    /// Tells those whose assignments changed: the nodes of what was touched. An instance that is
    /// forgotten had ended before, and was told then.
    pub(super) fn publish(&mut self, snapshot: &Snapshot, touched: &Touched) {
        self.0.retain(|_, sender| sender.receiver_count() > 0);
        let of_specs = touched.specs.iter();
        let of_specs = of_specs.flat_map(|name| snapshot.instances_of(name));
        let instances = touched.instances.iter();
        let instances = instances.filter_map(|id| snapshot.instances.get(id));
        let nodes = instances.chain(of_specs).filter_map(|i| i.node.as_ref());
        let nodes = nodes.filter(|node| self.0.contains_key(*node)).collect();
        for (node, next) in assignments_of(snapshot, nodes) {
            let Some(sender) = self.0.get(node) else {
                continue;
            };
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
