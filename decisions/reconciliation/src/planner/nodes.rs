//! Nodes that are away for too long.

use model::{Node, NodeStatus, Timestamp};

use super::Planner;
use crate::Action;

/// Nodes are lost one by one, so long after each other, in milliseconds: what ran on them is
/// started elsewhere in between, and a control plane that was cut off itself does little harm.
pub const LOST_PAUSE_MS: u64 = 1_000;

/// The same while more than half of all nodes are away: that is more likely a network that is
/// broken than so many machines.
pub const LOST_PAUSE_MANY_MS: u64 = 30_000;

impl Planner<'_> {
    /// Loses the node that has been away the longest, if it is time.
    pub(super) fn nodes(&mut self) {
        let lost_after_ms = self.snapshot.lost_after_ms;
        let nodes = || self.snapshot.nodes.values();
        let away = || nodes().filter(|node| node.status == NodeStatus::Away);
        let Some(first) = away().min_by_key(|node| (node.since, &node.id)) else {
            return;
        };
        if lost_after_ms == 0 {
            return;
        }
        let lost = nodes().filter(|node| node.status == NodeStatus::Lost);
        let last_lost = lost.map(|node| node.since).max();
        let many = away().count() * 2 > nodes().filter(|n| n.status != NodeStatus::Lost).count();
        let pause_ms = if many {
            LOST_PAUSE_MANY_MS
        } else {
            LOST_PAUSE_MS
        };
        let turn = last_lost.map_or(Timestamp(0), |at| at.plus_ms(pause_ms));
        let due = first.since.plus_ms(lost_after_ms).max(turn);
        if due > self.now {
            self.look_again(due);
        } else {
            self.lose_node(first);
        }
    }

    fn lose_node(&mut self, node: &Node) {
        self.plan.actions.push(Action::LoseNode {
            node: node.id.clone(),
            away_ms: self.now.since_ms(node.since),
        });
    }
}
