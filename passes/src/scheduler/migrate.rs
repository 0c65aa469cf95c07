//! What runs moves from full machines to empty ones.

use super::fleet::{Room, Running};
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
        let (fullest, emptiest) = self.extremes();
        for _ in 0..MOVES_MAX {
            let Some((running, from, to)) = self.best_move(&fullest, &emptiest, now_ms) else {
                return;
            };
            let (job, request) = (running.task.work.id, running.task.req());
            let target = &self.fleet.rooms[to as usize];
            if !target.cell.take(&request, target.limit(&running.task)) {
                return;
            }
            let cost_ms = cost_ms(&request);
            let end_ms = running.end_ms.saturating_add(cost_ms);
            self.stop(job, from);
            self.fleet.begin(running.task, to, end_ms);
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

    /// The fullest machines and the emptiest, a few of each.
    fn extremes(&self) -> (Vec<u32>, Vec<u32>) {
        let slots = (0..).zip(&self.fleet.slots).filter(|(_, slot)| !slot.lost);
        let mut all: Vec<(f64, u32)> = slots.map(|(index, _)| (self.level(index), index)).collect();
        let order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let few = CONSIDERED.min(all.len());
        if few < all.len() {
            all.select_nth_unstable_by(few, order);
        }
        let emptiest = all[..few].iter().map(|(_, index)| *index).collect();
        let others = all.len() - few;
        if few > 0 {
            all.select_nth_unstable_by(others, order);
        }
        (
            all[others..].iter().map(|(_, index)| *index).collect(),
            emptiest,
        )
    }

    fn level(&self, slot: u32) -> f64 {
        self.fleet.rooms[slot as usize].utilization()
    }

    /// What to move, from where and to where.
    fn best_move(
        &self,
        fullest: &[u32],
        emptiest: &[u32],
        now_ms: u64,
    ) -> Option<(Running, u32, u32)> {
        let ordered = |slots: &[u32]| {
            let mut slots = slots.to_vec();
            slots.sort_by(|a, b| self.level(*a).total_cmp(&self.level(*b)).then(a.cmp(b)));
            slots
        };
        let emptiest = ordered(emptiest);
        for from in ordered(fullest).into_iter().rev() {
            for to in &emptiest {
                if self.level(from) - self.level(*to) <= DIFFERENCE + f64::EPSILON {
                    break;
                }
                if let Some(running) = self.candidate(from, *to, now_ms) {
                    return Some((running, from, *to));
                }
            }
        }
        None
    }

    /// Batch before passes, the largest first.
    fn candidate(&self, from: u32, to: u32, now_ms: u64) -> Option<Running> {
        let source = &self.fleet.rooms[from as usize];
        let target = &self.fleet.rooms[to as usize];
        let movable = self.fleet.slots[from as usize]
            .running
            .iter()
            .filter(|running| {
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
fn keeps_order(source: &Room, target: &Room, request: &ResourceRequest) -> bool {
    source.utilization_without(request) >= target.utilization_with(request)
}

/// Its memory is written and read, at a gibibyte a second each, and it starts again.
fn cost_ms(request: &ResourceRequest) -> u64 {
    RESTART_MS + u64::from(request.memory_mb) * 2 * 1_000 / 1_024
}
