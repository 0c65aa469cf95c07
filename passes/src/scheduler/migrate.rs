//! What runs moves from full machines to empty ones.

use super::fleet::{Running, Slot, utilization};
use super::{Migration, ResourceRequest, Scheduler, TickReport};

/// Machines are left alone until their utilisation differs by more than this.
const DIFFERENCE: f64 = 0.30;

/// The most moves at a time, so that a fleet is never busy with itself.
const MOVES_MAX: usize = 16;

/// So many of the fullest, and so many of the emptiest machines are considered for a move.
const CONSIDERED: usize = 8;

/// A move has to cost less.
const COST_MS_MAX: u64 = 30_000;

/// What it costs to ask for a checkpoint and to start again.
const RESTART_MS: u64 = 2_000;

impl Scheduler {
    pub(crate) fn migrate(&mut self, now_ms: u64, report: &mut TickReport) {
        for _ in 0..MOVES_MAX {
            let Some((running, from, to)) = self.best_move(now_ms) else {
                return;
            };
            let (job, request) = (running.task.work.id, running.task.req());
            let target = &self.fleet.slots[to as usize];
            if !target.cell.take(&request, target.limit(&running.task)) {
                return;
            }
            let cost_ms = cost_ms(&request);
            let end_ms = running.end_ms.saturating_add(cost_ms);
            self.stop(job, from);
            self.fleet.slots[to as usize].begin(running.task, end_ms);
            self.ends.insert((end_ms, job, to));
            self.metrics.migrations_executed += 1;
            let name = |slot: u32| self.fleet.slots[slot as usize].name.clone();
            report.migrated.push(Migration {
                job,
                from: name(from),
                to: name(to),
                cost_ms,
            });
        }
    }

    /// What to move, from where and to where.
    fn best_move(&self, now_ms: u64) -> Option<(Running, u32, u32)> {
        let slots = (0..).zip(&self.fleet.slots).filter(|(_, slot)| !slot.lost);
        let mut order: Vec<(f64, u32)> = slots.map(|(i, slot)| (slot.utilization(), i)).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (full, from) in order.iter().rev().take(CONSIDERED) {
            for (empty, to) in order.iter().take(CONSIDERED) {
                if full - empty <= DIFFERENCE + f64::EPSILON {
                    break;
                }
                if let Some(running) = self.candidate(*from, *to, now_ms) {
                    return Some((running, *from, *to));
                }
            }
        }
        None
    }

    /// Batch before passes, the largest first.
    fn candidate(&self, from: u32, to: u32, now_ms: u64) -> Option<Running> {
        let (source, target) = (
            &self.fleet.slots[from as usize],
            &self.fleet.slots[to as usize],
        );
        let movable = source.running.iter().filter(|running| {
            let request = running.task.req();
            let cost_ms = cost_ms(&request);
            !running.task.is_alert()
                && cost_ms < COST_MS_MAX
                // What is almost done is done where it is.
                && running.end_ms > now_ms.saturating_add(cost_ms)
                && running.end_ms.saturating_add(cost_ms) <= running.task.work.deadline_ms
                && self.pools.get(running.task.pool).contains(to)
                && target.cell.used().plus(&request).fits(target.limit(&running.task))
                && keeps_order(source, target, &request)
        });
        let best = movable.max_by_key(|running| {
            let work = &running.task.work;
            (work.class, work.demand, std::cmp::Reverse(work.id))
        });
        best.copied()
    }
}

/// Whether the fuller one is still no emptier than the other afterwards.
fn keeps_order(source: &Slot, target: &Slot, request: &ResourceRequest) -> bool {
    let after = utilization(&source.cell.used().minus(request), &source.capacity);
    let there = utilization(&target.cell.used().plus(request), &target.capacity);
    after >= there
}

/// Its memory is written and read, at a gibibyte a second each, and it starts again.
fn cost_ms(request: &ResourceRequest) -> u64 {
    RESTART_MS + u64::from(request.memory_mb) * 2 * 1_000 / 1_024
}
