//! Which machine is the best for a task: the tightest of the first region that has room.
//!
//! A task's own region goes first, then the others, the emptiest first. Batch stays at home only
//! while home is not much fuller than the emptiest: it can run anywhere, and what cannot (a pass
//! needs its station) comes to where batch has filled everything for hours.
//!
//! This file alone knows the score. `placement` has richer rules and one owner; here many workers
//! ask at the same time, about three resources and a set of tags, and commit without a lock.

use super::fleet::{MachineFleet, Room};
use super::job::Task;
use super::pools::Pools;

/// Batch stays at home while home is at most so much fuller than the emptiest region.
const AT_HOME: f64 = 0.10;

/// What a worker needs to decide.
#[derive(Clone, Copy)]
pub(crate) struct Places<'a> {
    pub(crate) fleet: &'a MachineFleet,
    pub(crate) pools: &'a Pools,
    pub(crate) levels: &'a Levels,
}

/// How full the regions are, as of the beginning of a round.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    by_region: Vec<f64>,
    /// The emptiest first.
    order: Vec<u32>,
}

impl Levels {
    pub(crate) fn of(fleet: &MachineFleet) -> Self {
        let by_region = fleet.levels();
        let mut order: Vec<u32> = (0..).take(by_region.len()).collect();
        order.sort_by(|a, b| by_region[*a as usize].total_cmp(&by_region[*b as usize]));
        Self { by_region, order }
    }

    fn stays_at_home(&self, task: &Task) -> bool {
        let level = |region: u32| self.by_region.get(region as usize).copied().unwrap_or(0.0);
        let least = self.order.first().map_or(0.0, |region| level(*region));
        task.work.class < 2 || level(task.work.tenant) <= least + AT_HOME
    }
}

impl Places<'_> {
    /// Finds a machine and commits; `None` if no machine has room.
    pub(crate) fn place(&self, task: &Task) -> Option<u32> {
        let request = task.req();
        loop {
            let index = self.best(task)?;
            let room = &self.fleet.rooms[index as usize];
            // Somebody may have been faster; then there is a next best.
            if room.cell.take(&request, room.limit(task)) {
                return Some(index);
            }
        }
    }

    /// Whether there is room for it now.
    pub(crate) fn exists(&self, task: &Task) -> bool {
        let request = task.req();
        let mut all = self.pools.get(task.pool).from(task.work.tenant);
        all.any(|index| self.room(index).left(&request, task).is_some())
    }

    fn best(&self, task: &Task) -> Option<u32> {
        let pool = self.pools.get(task.pool);
        let home = task.work.tenant;
        let at_home = self.levels.stays_at_home(task);
        let first = at_home
            .then(|| self.tightest(pool.at(home), task))
            .flatten();
        first.or_else(|| {
            let mut others = self.levels.order.iter();
            let tried = |region: u32| at_home && region == home;
            others.find_map(|region| {
                if tried(*region) {
                    None
                } else {
                    self.tightest(pool.at(*region), task)
                }
            })
        })
    }

    fn room(&self, index: u32) -> &Room {
        &self.fleet.rooms[index as usize]
    }

    /// The one with the least left over; the first of equals.
    fn tightest(&self, machines: &[u32], task: &Task) -> Option<u32> {
        let request = task.req();
        let mut best = None;
        let mut least = f32::INFINITY;
        for &index in machines {
            match self.room(index).left(&request, task) {
                Some(left) if left < least => (best, least) = (Some(index), left),
                _ => {}
            }
        }
        best
    }
}
