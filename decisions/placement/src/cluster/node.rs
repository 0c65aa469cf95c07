//! What is known of one machine, and what changes when a task comes or goes.

use model::{Duty, NodeId, NodeStatus};

use crate::cluster::names::{Counts, Names};
use crate::cluster::shape::Shape;
use crate::machine::Facts;
use crate::settings::Settings;
use crate::{Strength, Topology, Wish};

/// Thousandths of one graphics processor.
pub(crate) const WHOLE: u16 = 1_000;

/// What machines with equal facts have in common.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) facts: Facts,
    /// How many machines have it.
    pub(crate) machines: usize,
    /// What is there of each resource, by number.
    pub(crate) capacity: Vec<u64>,
    /// How far each may be filled by all but P0, and by P0.
    limits: [Vec<u64>; 2],
    pub(crate) reserved: Vec<u64>,
}

impl Profile {
    pub(crate) fn new(facts: Facts, resources: &mut Names, settings: &Settings) -> Self {
        let capacity = numbered(facts.capacity.iter(), resources);
        let reserved = numbered(facts.reserved.iter(), resources);
        let promised = |resource: usize, amount: u64| {
            let name = resources.name(u32::try_from(resource).unwrap_or(u32::MAX));
            let percent = settings.overcommit_percent.get(&**name);
            let percent = percent.filter(|_| facts.overcommit).copied();
            percent_of(amount, percent.unwrap_or(100))
        };
        let full: Vec<u64> = capacity
            .iter()
            .enumerate()
            .map(|(resource, amount)| promised(resource, *amount))
            .collect();
        let share = 100_u32.saturating_sub(settings.headroom_percent);
        let usual = full
            .iter()
            .map(|amount| percent_of(*amount, share))
            .collect();
        Self {
            machines: 0,
            capacity,
            limits: [usual, full],
            reserved,
            facts,
        }
    }

    /// How far a resource may be filled.
    pub(crate) fn limit(&self, resource: u32, uses_headroom: bool) -> u64 {
        let limits = &self.limits[usize::from(uses_headroom)];
        limits.get(resource as usize).copied().unwrap_or(0)
    }
}

fn percent_of(amount: u64, percent: u32) -> u64 {
    let share = u128::from(amount) * u128::from(percent) / 100;
    u64::try_from(share).unwrap_or(u64::MAX)
}

fn numbered<'a>(amounts: impl Iterator<Item = (&'a str, u64)>, names: &mut Names) -> Vec<u64> {
    let mut numbered = Vec::new();
    for (name, amount) in amounts {
        let at = names.number(name) as usize;
        if numbered.len() <= at {
            numbered.resize(at + 1, 0);
        }
        numbered[at] = amount;
    }
    numbered
}

/// Which groups are in a place, and which are kept away from it by those that are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    pub(crate) hosts: Counts,
    pub(crate) repels: Counts,
}

impl Presence {
    pub(crate) fn enter(&mut self, shape: &Shape, topology: Topology) {
        self.hosts.add(shape.group);
        repelled(shape, topology).for_each(|group| self.repels.add(group));
    }

    pub(crate) fn leave(&mut self, shape: &Shape, topology: Topology) {
        self.hosts.take(shape.group);
        repelled(shape, topology).for_each(|group| self.repels.take(group));
    }
}

fn repelled(shape: &Shape, topology: Topology) -> impl Iterator<Item = u32> {
    let terms = shape.affinities.iter();
    terms
        .filter(move |term| {
            term.within == topology && term.wish == Wish::Apart && term.strength == Strength::Hard
        })
        .map(|term| term.group)
}

/// One machine as it is now.
#[derive(Clone, Debug)]
pub(crate) struct NodeState {
    pub(crate) id: NodeId,
    pub(crate) status: NodeStatus,
    pub(crate) duty: Duty,
    pub(crate) profile: u32,
    pub(crate) zone: u32,
    /// Its place in the zone.
    pub(crate) at: u32,
    /// What is used of each resource, by number.
    pub(crate) used: Vec<u64>,
    /// What is free of each graphics processor, in thousandths.
    pub(crate) gpu_free: Vec<u16>,
    /// Sorted.
    pub(crate) ports: Vec<u16>,
    pub(crate) presence: Presence,
    /// What is placed here, by number.
    pub(crate) tasks: Vec<u32>,
}

impl NodeState {
    pub(crate) fn used(&self, resource: u32) -> u64 {
        self.used.get(resource as usize).copied().unwrap_or(0)
    }

    /// What is free of all graphics processors together, in thousandths.
    pub(crate) fn gpu_free_milli(&self) -> u64 {
        self.gpu_free.iter().map(|free| u64::from(*free)).sum()
    }

    pub(crate) fn put(&mut self, shape: &Shape, devices: &[u16]) {
        for &(resource, amount) in &shape.request {
            let at = resource as usize;
            if self.used.len() <= at {
                self.used.resize(at + 1, 0);
            }
            self.used[at] = self.used[at].saturating_add(amount);
        }
        for device in devices {
            if let Some(free) = self.gpu_free.get_mut(usize::from(*device)) {
                *free = free.saturating_sub(shape.gpu.1);
            }
        }
        for port in &shape.task.ports {
            let at = self.ports.partition_point(|used| used < port);
            self.ports.insert(at, *port);
        }
        self.presence.enter(shape, Topology::Node);
    }

    pub(crate) fn take(&mut self, shape: &Shape, devices: &[u16]) {
        for &(resource, amount) in &shape.request {
            if let Some(used) = self.used.get_mut(resource as usize) {
                *used = used.saturating_sub(amount);
            }
        }
        for device in devices {
            if let Some(free) = self.gpu_free.get_mut(usize::from(*device)) {
                *free = (*free + shape.gpu.1).min(WHOLE);
            }
        }
        for port in &shape.task.ports {
            if let Ok(at) = self.ports.binary_search(port) {
                self.ports.remove(at);
            }
        }
        self.presence.leave(shape, Topology::Node);
    }

    /// Which graphics processors a task would get: whole ones from the front, a part of the
    /// processor that has the least room for it.
    pub(crate) fn devices_for(&self, shape: &Shape) -> Option<Vec<u16>> {
        let (count, milli) = shape.gpu;
        let index = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        let fitting = || {
            self.gpu_free
                .iter()
                .enumerate()
                .filter(|(_, free)| **free >= milli)
        };
        if count == 1 {
            let tightest = fitting().min_by_key(|(at, free)| (**free, *at))?;
            return Some(vec![index(tightest.0)]);
        }
        let devices: Vec<u16> = fitting()
            .take(usize::from(count))
            .map(|(at, _)| index(at))
            .collect();
        (devices.len() == usize::from(count)).then_some(devices)
    }
}
