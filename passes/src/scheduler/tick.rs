//! One tick: ends, what is late, alerts, all others in rounds, moves.

use super::fit::{Levels, Places};
use super::job::Task;
use super::turns::Turns;
use super::{Placement, Scheduler, TickReport};

/// Moves are considered every so many ticks.
const MIGRATE_EVERY: u64 = 5;

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

    pub(crate) fn turns(&mut self) -> Turns<'_> {
        Turns {
            backlogs: &mut self.backlogs,
            capacity: self.capacity,
        }
    }

    fn round(&mut self, now_ms: u64, report: &mut TickReport) -> bool {
        self.levels = Levels::of(&self.fleet);
        let mut turns = Turns {
            backlogs: &mut self.backlogs,
            capacity: self.capacity,
        };
        let places = Places {
            fleet: &self.fleet,
            pools: &self.pools,
            levels: &self.levels,
        };
        if !self.crew.run(places, &mut || turns.next(now_ms)) {
            return false;
        }
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
            self.turns().refund(&task, task.work.runtime_ms);
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
}
