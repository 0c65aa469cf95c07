//! Which machines carry which tags, by region.

use std::collections::BTreeMap;

use super::fleet::MachineFleet;

/// The machines that carry a set of tags.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    by_region: Vec<Vec<u32>>,
    carries: Vec<bool>,
}

impl Pool {
    fn of(tags: &[String], fleet: &MachineFleet) -> Self {
        let mut pool = Self::default();
        for (index, slot) in (0..).zip(&fleet.slots) {
            let open = !slot.lost && !slot.closed;
            let carries = open && tags.iter().all(|tag| slot.tags.contains(tag));
            pool.carries.push(carries);
            if carries {
                let region = slot.region as usize;
                if pool.by_region.len() <= region {
                    pool.by_region.resize(region + 1, Vec::new());
                }
                pool.by_region[region].push(index);
            }
        }
        pool
    }

    /// Those of one region.
    pub(crate) fn at(&self, region: u32) -> &[u32] {
        self.by_region
            .get(region as usize)
            .map_or(&[], Vec::as_slice)
    }

    /// Those of all others.
    pub(crate) fn elsewhere(&self, region: u32) -> impl Iterator<Item = &u32> {
        let others = (0..)
            .zip(&self.by_region)
            .filter(move |(index, _)| *index != region);
        others.flat_map(|(_, machines)| machines)
    }

    /// All of them; those of the region first.
    pub(crate) fn from(&self, region: u32) -> impl Iterator<Item = u32> {
        self.at(region)
            .iter()
            .chain(self.elsewhere(region))
            .copied()
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        self.carries.get(slot as usize).copied().unwrap_or(false)
    }
}

/// For each set of tags that was asked for, its pool.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    by_tags: BTreeMap<Vec<String>, u32>,
    pools: Vec<Pool>,
}

impl Pools {
    /// The number of these tags' pool; a new one if they were never asked for.
    pub(crate) fn of(&mut self, tags: &[String], fleet: &MachineFleet) -> u32 {
        if let Some(pool) = self.by_tags.get(tags) {
            return *pool;
        }
        let number = u32::try_from(self.pools.len()).unwrap_or(u32::MAX);
        self.by_tags.insert(tags.to_vec(), number);
        self.pools.push(Pool::of(tags, fleet));
        number
    }

    pub(crate) fn get(&self, pool: u32) -> &Pool {
        &self.pools[pool as usize]
    }

    /// The fleet has changed.
    pub(crate) fn rebuild(&mut self, fleet: &MachineFleet) {
        for (tags, pool) in &self.by_tags {
            self.pools[*pool as usize] = Pool::of(tags, fleet);
        }
    }
}
