//! Which worker runs which task.

use std::collections::BTreeMap;

use crate::facts::WorkerFact;
use crate::names::{TaskId, WorkerId};
use crate::program::{Parallelism, slots_needed};

/// Which worker runs which task: worker by worker a range of slots, and subtask i of *every*
/// operator is in slot i. So a forward edge never leaves its worker, whatever the parallelisms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignments {
    /// In the order of their slots, without gaps, from 0; each with one slot at least.
    pub shares: Vec<Share>,
}

/// What one worker got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Who.
    pub worker: WorkerId,
    /// Its first slot.
    pub first: u32,
    /// The slot after its last.
    pub end: u32,
}

/// There are too few slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{needed} slots are needed, and the workers have {found}")]
pub struct TooFewSlots {
    /// As many as the largest parallelism.
    pub needed: u32,
    /// All workers together.
    pub found: u64,
}

/// Fills worker after worker, so that few of them share the job. The nodes take turns, so that
/// the death of one leaves as many workers, warm and ready, as can be. The order in which
/// `workers` are given has no influence.
///
/// # Errors
/// When the workers have fewer slots together than the largest parallelism.
pub fn compute_assignments(
    parallelism: &Parallelism,
    workers: &[WorkerFact],
) -> Result<Assignments, TooFewSlots> {
    let needed = slots_needed(parallelism);
    let found: u64 = workers.iter().map(|worker| u64::from(worker.slots)).sum();
    if found < u64::from(needed) {
        return Err(TooFewSlots { needed, found });
    }
    let mut shares = Vec::new();
    let mut first = 0;
    for worker in in_turns(workers) {
        if first == needed {
            break;
        }
        let end = first + worker.slots.min(needed - first);
        if end > first {
            let worker = worker.id;
            shares.push(Share { worker, first, end });
        }
        first = end;
    }
    Ok(Assignments { shares })
}

/// The first worker of every node, then the second of every node, and so on; of one node the
/// largest first.
fn in_turns(workers: &[WorkerFact]) -> Vec<&WorkerFact> {
    let mut by_node: BTreeMap<&str, Vec<&WorkerFact>> = BTreeMap::new();
    for worker in workers {
        by_node.entry(&worker.node).or_default().push(worker);
    }
    let mut turns = Vec::with_capacity(workers.len());
    for (node, mut of_node) in by_node {
        of_node.sort_by_key(|worker| (std::cmp::Reverse(worker.slots), worker.id));
        turns.extend(
            of_node
                .into_iter()
                .enumerate()
                .map(|(turn, worker)| (turn, node, worker)),
        );
    }
    turns.sort_by_key(|(turn, node, _)| (*turn, *node));
    turns.into_iter().map(|(_, _, worker)| worker).collect()
}

impl Assignments {
    /// Who runs subtask `subtask`, of whichever operator.
    pub fn worker_of(&self, subtask: u32) -> Option<WorkerId> {
        let after = self.shares.partition_point(|share| share.first <= subtask);
        let share = self.shares.get(after.checked_sub(1)?)?;
        (subtask < share.end).then_some(share.worker)
    }

    /// Every task with its worker, worker by worker.
    pub fn tasks(&self, parallelism: &Parallelism) -> Vec<(WorkerId, Vec<TaskId>)> {
        let of = |share: &Share| {
            let mut tasks = Vec::new();
            for (operator, count) in parallelism {
                let operator = *operator;
                let subtasks = share.first..share.end.min(*count).max(share.first);
                tasks.extend(subtasks.map(|subtask| TaskId { operator, subtask }));
            }
            (share.worker, tasks)
        };
        self.shares.iter().map(of).collect()
    }
}
