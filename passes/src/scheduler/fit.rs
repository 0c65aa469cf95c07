//! Which machine is the best for a task: the tightest in its region, else the tightest elsewhere.
//!
//! This file alone knows the score. `placement` has richer rules and one owner; here many workers
//! ask at the same time, about three resources and a set of tags, and commit without a lock.

use super::fleet::MachineFleet;
use super::job::Task;
use super::pools::Pools;

/// What a worker needs to decide.
#[derive(Clone, Copy)]
pub(crate) struct Places<'a> {
    pub(crate) fleet: &'a MachineFleet,
    pub(crate) pools: &'a Pools,
}

impl Places<'_> {
    /// Finds a machine and commits; `None` if no machine has room.
    pub(crate) fn place(&self, task: &Task) -> Option<u32> {
        let request = task.req();
        loop {
            let index = self.best(task)?;
            let slot = &self.fleet.slots[index as usize];
            // Somebody may have been faster; then there is a next best.
            if slot.cell.take(&request, slot.limit(task)) {
                return Some(index);
            }
        }
    }

    /// Where it would go now.
    pub(crate) fn best(&self, task: &Task) -> Option<u32> {
        let pool = self.pools.get(task.pool);
        let home = task.work.tenant;
        let at_home = self.tightest(pool.at(home).iter(), task);
        at_home.or_else(|| self.tightest(pool.elsewhere(home), task))
    }

    /// The one with the least left over, as the sum of shares; the first of equals.
    fn tightest<'i>(&self, machines: impl Iterator<Item = &'i u32>, task: &Task) -> Option<u32> {
        let request = task.req();
        let mut best = None;
        let mut least = f64::INFINITY;
        for &index in machines {
            let slot = &self.fleet.slots[index as usize];
            let total = slot.cell.used().plus(&request);
            if !total.fits(slot.limit(task)) {
                continue;
            }
            let left = slot.capacity.minus(&total);
            let left = f64::from(left.cpu_millicores) * slot.inverse[0]
                + f64::from(left.memory_mb) * slot.inverse[1]
                + f64::from(left.gpu_count) * slot.inverse[2];
            if left < least {
                (best, least) = (Some(index), left);
            }
        }
        best
    }
}
