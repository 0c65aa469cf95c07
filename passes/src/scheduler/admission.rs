//! What cannot be in time is refused when it comes.
//!
//! Only what runs counts, and not what waits: that may be overtaken, or be late itself. So who is
//! refused has no chance, and who is accepted has one.

use queueing::{Commitment, Profile, Refusal};

use super::fleet::{Room, Slot};
use super::job::Task;
use super::{Rejected, Scheduler};

impl Scheduler {
    pub(crate) fn admit(&self, task: &Task, tags: Vec<String>) -> Result<(), Rejected> {
        let now_ms = self.clock.now_ms();
        let pool = self.pools.get(task.pool);
        let in_time = now_ms.saturating_add(task.work.runtime_ms) <= task.work.deadline_ms;
        if in_time && (self.places().exists(task) || self.is_idle_in_time(task)) {
            return Ok(());
        }
        let mut nearest: Option<Refusal> = None;
        for index in pool.from(task.work.tenant) {
            let index = index as usize;
            let profile = profile(&self.fleet.slots[index], &self.fleet.rooms[index], task);
            match queueing::admit(&task.work, now_ms, &profile) {
                Ok(_) => return Ok(()),
                Err(refusal) if nearest.is_none_or(|best| missing(&refusal) < missing(&best)) => {
                    nearest = Some(refusal);
                }
                Err(_) => {}
            }
        }
        Err(nearest.map_or(Rejected::NoSuchMachine { tags }, Rejected::Hopeless))
    }

    /// Whether some machine is known to have nothing to do when it has to start.
    fn is_idle_in_time(&self, task: &Task) -> bool {
        let latest_start_ms = task.work.latest_start_ms().unwrap_or(0);
        let request = task.req();
        let mut all = self.pools.get(task.pool).from(task.work.tenant);
        all.any(|index| {
            let fits = request.fits(self.fleet.rooms[index as usize].limit(task));
            let busy_until_ms = self.fleet.slots[index as usize].busy_until_ms;
            fits && (task.is_alert() || busy_until_ms <= latest_start_ms)
        })
    }
}

/// What is taken of one machine, and until when. Alerts displace others, so only alerts count.
fn profile(slot: &Slot, room: &Room, task: &Task) -> Profile {
    let amounts = room.limit(task);
    let [cpu, memory, gpus] = [amounts.cpu_millicores, amounts.memory_mb, amounts.gpu_count];
    let capacity = [cpu.into(), memory.into(), gpus.into(), 0];
    let in_the_way = |other: &Task| other.work.class <= task.work.class;
    let held = slot
        .running
        .iter()
        .filter(|running| in_the_way(&running.task));
    let commitments: Vec<Commitment> = held
        .map(|running| Commitment {
            from_ms: 0,
            until_ms: running.end_ms,
            demand: running.task.work.demand,
        })
        .collect();
    Profile::new(capacity, &commitments)
}

/// How far it is from being possible: its kind, then how much is missing.
fn missing(refusal: &Refusal) -> (u8, u64) {
    match refusal {
        Refusal::NoRoom {
            earliest_start_ms, ..
        } => (0, *earliest_start_ms),
        Refusal::TooLate { late_by_ms, .. } => (1, *late_by_ms),
        Refusal::TooBig { short, .. } => (2, *short),
    }
}
