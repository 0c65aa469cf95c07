//! One tick: ends, what is late, alerts, all others in rounds, moves.

use super::fit::{Levels, Places};
use super::job::Task;
use super::{Placement, Scheduler, TickReport};

/// Moves are considered every so many ticks.
const MIGRATE_EVERY: u64 = 5;

/// The most that workers are given at a time.
const ROUND_MAX: usize = 16_384;

/// Shares are counted in parts of the fleet.
const WHOLE: u128 = 1 << 40;

impl Scheduler {
    /// Decides what starts, stops and moves now.
    pub fn tick(&mut self) -> TickReport {
        let now_ms = self.clock.now_ms();
        let mut report = TickReport::default();
        self.ticks += 1;
        self.end_what_is_done(now_ms, &mut report);
        self.capacity = self.fleet.capacity();
        self.levels = Levels::of(&self.fleet);
        self.begin(now_ms, &mut report);
        self.place_alerts(now_ms, &mut report);
        if !report.preempted.is_empty() {
            self.begin(now_ms, &mut report);
        }
        while self.round(now_ms, &mut report) {}
        self.rescue(now_ms, &mut report);
        self.last_tick_ms = now_ms;
        if self.ticks.is_multiple_of(MIGRATE_EVERY) {
            self.migrate(now_ms, &mut report);
        }
        self.metrics.total_dispatched += report.placed.len() as u64;
        report
    }

    fn end_what_is_done(&mut self, now_ms: u64, report: &mut TickReport) {
        while !self.ends_are_reported {
            let Some(&(end_ms, job, slot)) = self.ends.first().filter(|end| end.0 <= now_ms) else {
                return;
            };
            if let Some(running) = self.stop(job, slot) {
                self.count_end(&running, end_ms);
                report.completed.push(job);
            }
        }
    }

    /// Gives up what is late, and lets everything else be tried.
    fn begin(&mut self, now_ms: u64, report: &mut TickReport) {
        let before = report.missed.len();
        for backlog in &mut self.backlogs {
            backlog.take_late(now_ms, &mut report.missed);
            backlog.reopen(now_ms);
        }
        self.metrics.deadline_misses += (report.missed.len() - before) as u64;
    }

    /// The region that consumed least for its weight, of those with something to try.
    pub(crate) fn neediest(&self, alerts: bool) -> Option<usize> {
        let regions = self.backlogs.iter().enumerate();
        let waiting = regions.filter(|(_, backlog)| backlog.has_next(alerts));
        let (region, _) = waiting.min_by_key(|(_, backlog)| backlog.clock)?;
        Some(region)
    }

    /// Takes out what a region tries next, and charges it for it.
    pub(crate) fn take(&mut self, region: usize, alerts: bool, now_ms: u64) -> Option<Task> {
        let task = self.backlogs[region].take(alerts, now_ms)?;
        self.charge(&task, task.work.runtime_ms);
        Some(task)
    }

    fn round(&mut self, now_ms: u64, report: &mut TickReport) -> bool {
        while self.crew.waiting() < ROUND_MAX {
            let region = self.neediest(false);
            // Whose turn it is goes next, or nobody: shares would not be fair otherwise.
            let Some(task) = region.and_then(|region| self.take(region, false, now_ms)) else {
                break;
            };
            self.crew.give(task);
        }
        if self.crew.waiting() == 0 {
            return false;
        }
        self.levels = Levels::of(&self.fleet);
        self.crew.run(Places {
            fleet: &self.fleet,
            pools: &self.pools,
            levels: &self.levels,
        });
        let decisions = self.crew.decisions();
        for (task, slot) in &decisions {
            self.settle(*task, *slot, now_ms);
            if let Some(slot) = slot {
                self.start(*task, *slot, now_ms, report);
            }
        }
        // Alerts go out of turn, and say nothing of what regions had.
        let placed = decisions.iter().filter(|(_, slot)| slot.is_some());
        let clocks = placed.map(|(task, _)| self.backlogs[task.work.tenant as usize].clock);
        self.share_now = self.share_now.max(clocks.min().unwrap_or(0));
        self.backlogs
            .iter_mut()
            .for_each(|backlog| backlog.choose());
        true
    }

    pub(crate) fn settle(&mut self, task: Task, slot: Option<u32>, now_ms: u64) {
        if slot.is_none() {
            self.refund(&task, task.work.runtime_ms);
        }
        self.backlogs[task.work.tenant as usize].settle(task, slot.is_some(), now_ms);
    }

    /// What it needs is taken already.
    pub(crate) fn start(&mut self, task: Task, slot: u32, at_ms: u64, report: &mut TickReport) {
        let end_ms = at_ms.saturating_add(task.work.runtime_ms);
        self.fleet.begin(task, slot, end_ms);
        self.ends.insert((end_ms, task.work.id, slot));
        report.placed.push(Placement {
            job: task.work.id,
            machine: self.fleet.slots[slot as usize].name.clone(),
            start_ms: at_ms,
            end_ms,
        });
    }

    pub(crate) fn charge(&mut self, task: &Task, for_ms: u64) {
        let cost = self.cost(task, for_ms);
        self.backlogs[task.work.tenant as usize].clock += cost;
    }

    /// A region did not get what it was charged for.
    pub(crate) fn refund(&mut self, task: &Task, for_ms: u64) {
        let cost = self.cost(task, for_ms);
        let backlog = &mut self.backlogs[task.work.tenant as usize];
        backlog.clock = backlog.clock.saturating_sub(cost);
    }

    /// The largest share of the fleet that it holds of any kind, times how long, for its weight.
    fn cost(&self, task: &Task, for_ms: u64) -> u128 {
        let shares = task.work.demand.iter().zip(self.capacity);
        let largest = shares
            .map(|(amount, all)| u128::from(*amount) * WHOLE / u128::from(all.max(1)))
            .max();
        let weight = self.backlogs[task.work.tenant as usize].weight;
        largest.unwrap_or(0) * u128::from(for_ms) / u128::from(weight)
    }
}
