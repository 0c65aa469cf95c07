//! Alerts go first, and in the place of others when there is no room; a pass whose last moment has
//! come goes in the place of batch that has time.

use super::fleet::{Room, Slot};
use super::job::Task;
use super::{JobId, Preemption, Scheduler, TickReport};

/// How long a pass may take to stop. Batch gets no time.
const GRACE_MS: u64 = 30_000;

impl Scheduler {
    pub(crate) fn place_alerts(&mut self, now_ms: u64, report: &mut TickReport) {
        while let Some(region) = self.turns().neediest(true) {
            let Some(task) = self.turns().take(region, true, now_ms) else {
                return;
            };
            let room = self.places().place(&task);
            let place = room.map(|slot| (slot, now_ms));
            let place = place.or_else(|| self.displace(&task, now_ms, report));
            self.settle(task, place.map(|(slot, _)| slot), now_ms);
            if let Some((slot, start_ms)) = place {
                self.start(task, slot, start_ms, report);
            }
            self.backlogs[region].choose();
        }
    }

    /// Passes that the next tick would find too late go in the place of batch. They were accepted,
    /// and wait for nothing but batch, which can be done later.
    pub(crate) fn rescue(&mut self, now_ms: u64, report: &mut TickReport) {
        let next_ms = now_ms.saturating_add(now_ms.saturating_sub(self.last_tick_ms));
        for region in 0..self.backlogs.len() {
            for task in self.backlogs[region].take_urgent(next_ms) {
                match self.displace(&task, now_ms, report) {
                    Some((slot, start_ms)) => {
                        self.turns().charge(&task, task.work.runtime_ms);
                        self.start(task, slot, start_ms, report);
                    }
                    None => self.backlogs[region].push(task),
                }
            }
        }
    }

    /// Makes room where it does the least harm, and takes it: the machine, and from when on.
    fn displace(
        &mut self,
        task: &Task,
        now_ms: u64,
        report: &mut TickReport,
    ) -> Option<(u32, u64)> {
        let pool = self.pools.get(task.pool);
        let options = pool.from(task.work.tenant).filter_map(|index| {
            let (slot, room) = (
                &self.fleet.slots[index as usize],
                &self.fleet.rooms[index as usize],
            );
            Some((victims(slot, room, task, now_ms)?, index))
        });
        // The first of equals, so its own region's.
        let (victims, index) = options.min_by_key(|(victims, _)| victims.harm)?;
        for job in &victims.jobs {
            self.evict(*job, index, task.work.id, now_ms, report);
        }
        let room = &self.fleet.rooms[index as usize];
        let taken = room.cell.take(&task.req(), room.limit(task));
        let grace_ms = if victims.harm.0 > 0 { GRACE_MS } else { 0 };
        taken.then_some((index, now_ms.saturating_add(grace_ms)))
    }

    fn evict(&mut self, job: JobId, slot: u32, by: JobId, now_ms: u64, report: &mut TickReport) {
        let Some(running) = self.stop(job, slot) else {
            return;
        };
        let task = running.task;
        self.turns()
            .refund(&task, running.end_ms.saturating_sub(now_ms));
        self.enqueue(task);
        self.metrics.preemptions += 1;
        report.preempted.push(Preemption {
            job,
            machine: self.fleet.slots[slot as usize].name.clone(),
            by,
            grace_ms: if task.work.class == 1 { GRACE_MS } else { 0 },
        });
    }
}

/// Who has to go from a machine.
struct Victims {
    jobs: Vec<JobId>,
    /// How many of them are passes, and how many there are.
    harm: (usize, usize),
}

/// Whether one may go for another: everything but alerts for an alert, and for a pass batch that
/// can still be done in time when it begins anew.
fn may_go(victim: &Task, task: &Task, now_ms: u64) -> bool {
    if task.is_alert() {
        return !victim.is_alert();
    }
    let again_ms = now_ms.saturating_add(victim.work.runtime_ms);
    victim.work.class > task.work.class && again_ms <= victim.work.deadline_ms
}

/// `None` if it has no room even without all of them.
fn victims(slot: &Slot, room: &Room, task: &Task, now_ms: u64) -> Option<Victims> {
    let (need, limit) = (task.req(), room.limit(task));
    let mut others: Vec<&Task> = slot.running.iter().map(|running| &running.task).collect();
    others.retain(|other| may_go(other, task, now_ms));
    // Batch before passes, the largest of them first.
    others.sort_by_key(|task| std::cmp::Reverse((task.work.class, task.work.demand, task.work.id)));
    let mut used = room.cell.used().plus(&need);
    let mut chosen = Vec::new();
    for other in others {
        if used.fits(limit) {
            break;
        }
        used = used.minus(&other.req());
        chosen.push(other);
    }
    if !used.fits(limit) {
        return None;
    }
    // Passes came last; whoever is not in the way after all stays, passes before batch.
    let mut jobs = Vec::new();
    let mut harm = (0, 0);
    for other in chosen.into_iter().rev() {
        let with = used.plus(&other.req());
        if with.fits(limit) {
            used = with;
            continue;
        }
        jobs.push(other.work.id);
        harm = (harm.0 + usize::from(other.work.class == 1), harm.1 + 1);
    }
    Some(Victims { jobs, harm })
}
