//! Whose turn it is: start-time fair queueing over regions (Goyal, Vin, Cheng, SIGCOMM 1996).

use super::backlog::Backlog;
use super::job::Task;

/// Shares are counted in parts of the fleet.
const WHOLE_BITS: u32 = 40;

/// The queues of all regions, and what they share.
pub(crate) struct Turns<'a> {
    pub(crate) backlogs: &'a mut [Backlog],
    /// All of the fleet, of each kind.
    pub(crate) capacity: [u64; 3],
}

impl Turns<'_> {
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

    /// What goes next, alerts apart. Whose turn it is goes, or nobody: shares would not be fair
    /// otherwise.
    pub(crate) fn next(&mut self, now_ms: u64) -> Option<Task> {
        self.take(self.neediest(false)?, false, now_ms)
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
        let largest = shares.map(|(amount, all)| share(*amount, all)).max();
        let weight = self.backlogs[task.work.tenant as usize].weight;
        let largest = largest.unwrap_or(0);
        // why: divisions of 64 bits are several times as fast as those of 128, and mostly enough.
        let small = u64::try_from(largest).ok();
        match small.and_then(|largest| largest.checked_mul(for_ms)) {
            Some(cost) => u128::from(cost / u64::from(weight)),
            None => largest * u128::from(for_ms) / u128::from(weight),
        }
    }
}

fn share(amount: u64, all: u64) -> u128 {
    if amount.leading_zeros() >= WHOLE_BITS {
        return u128::from((amount << WHOLE_BITS) / all.max(1));
    }
    (u128::from(amount) << WHOLE_BITS) / u128::from(all.max(1))
}
