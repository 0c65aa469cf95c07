//! Alerts go first, and in the place of others when there is no room.

use super::fleet::{Room, Slot};
use super::job::Task;
use super::{JobId, Preemption, Scheduler, TickReport};

/// How long a pass may take to stop. Batch gets no time.
const GRACE_MS: u64 = 30_000;

impl Scheduler {
    pub(crate) fn place_alerts(&mut self, now_ms: u64, report: &mut TickReport) {
        while let Some(region) = self.neediest(true) {
            let Some(task) = self.take(region, true, now_ms) else {
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

    /// Makes room where it does the least harm, and takes it: the machine, and from when on.
    fn displace(
        &mut self,
        alert: &Task,
        now_ms: u64,
        report: &mut TickReport,
    ) -> Option<(u32, u64)> {
        let pool = self.pools.get(alert.pool);
        let options = pool.from(alert.work.tenant).filter_map(|index| {
            let place = index as usize;
            let victims = victims(&self.fleet.slots[place], &self.fleet.rooms[place], alert)?;
            Some((victims, index))
        });
        // The first of equals, so its own region's.
        let (victims, index) = options.min_by_key(|(victims, _)| victims.harm)?;
        for job in &victims.jobs {
            self.evict(*job, index, alert.work.id, now_ms, report);
        }
        let room = &self.fleet.rooms[index as usize];
        let taken = room.cell.take(&alert.req(), room.limit(alert));
        let grace_ms = if victims.harm.0 > 0 { GRACE_MS } else { 0 };
        taken.then_some((index, now_ms.saturating_add(grace_ms)))
    }

    fn evict(&mut self, job: JobId, slot: u32, by: JobId, now_ms: u64, report: &mut TickReport) {
        let Some(running) = self.stop(job, slot) else {
            return;
        };
        let task = running.task;
        self.refund(&task, running.end_ms.saturating_sub(now_ms));
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

/// `None` if it has no room even without all of them.
fn victims(slot: &Slot, room: &Room, alert: &Task) -> Option<Victims> {
    let (need, limit) = (alert.req(), room.limit(alert));
    let mut others: Vec<&Task> = slot.running.iter().map(|running| &running.task).collect();
    others.retain(|task| !task.is_alert());
    // Batch before passes, the largest of them first.
    others.sort_by_key(|task| std::cmp::Reverse((task.work.class, task.work.demand, task.work.id)));
    let mut used = room.cell.used().plus(&need);
    let mut chosen = Vec::new();
    for task in others {
        if used.fits(limit) {
            break;
        }
        used = used.minus(&task.req());
        chosen.push(task);
    }
    if !used.fits(limit) {
        return None;
    }
    // Passes came last; whoever is not in the way after all stays, passes before batch.
    let mut jobs = Vec::new();
    let mut harm = (0, 0);
    for task in chosen.into_iter().rev() {
        let with = used.plus(&task.req());
        if with.fits(limit) {
            used = with;
            continue;
        }
        jobs.push(task.work.id);
        harm = (harm.0 + usize::from(task.work.class == 1), harm.1 + 1);
    }
    Some(Victims { jobs, harm })
}
