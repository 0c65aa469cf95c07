//! The machines: their profiles, zones and regions, and what each of them holds.

use std::collections::BTreeMap;

use model::NodeId;

use super::names::Names;
use super::node::{NodeState, Presence, Profile, WHOLE};
use crate::filter::Place;
use crate::machine::{Facts, Machine};
use crate::score::Yardstick;
use crate::settings::Settings;

/// Between two new neighbours lie so many ranks, so that others fit between them later.
const RANK_GAP: u64 = 1 << 32;

/// Machines that fail together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone {
    pub(crate) region: u32,
    /// Machines by their place; a place that was left is given to the next one that comes.
    pub(crate) members: Vec<Option<u32>>,
    left: Vec<u32>,
    /// In the order of the names, so that ties end the same way whoever came first.
    pub(crate) ranks: Vec<u64>,
    pub(crate) presence: Presence,
}

/// All machines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) resources: Names,
    pub(crate) profiles: Vec<Profile>,
    profile_of: BTreeMap<Facts, u32>,
    pub(crate) nodes: Vec<Option<NodeState>>,
    left: Vec<u32>,
    pub(crate) by_name: BTreeMap<NodeId, u32>,
    pub(crate) zones: Vec<Zone>,
    zone_of: BTreeMap<(String, String), u32>,
    pub(crate) regions: Vec<Presence>,
    region_names: Names,
    pub(crate) yardstick: Yardstick,
}

impl Fleet {
    pub(crate) fn node(&self, node: u32) -> Option<&NodeState> {
        self.nodes.get(node as usize).and_then(Option::as_ref)
    }

    pub(crate) fn place<'a>(&'a self, node: &'a NodeState) -> Place<'a> {
        Place {
            profile: &self.profiles[node.profile as usize],
            node,
            resources: &self.resources,
        }
    }

    /// The machines in the order of their names.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = (u32, &NodeState)> {
        let states = self.by_name.values();
        states.filter_map(|node| self.node(*node).map(|state| (*node, state)))
    }

    /// Takes in a machine that is not known yet.
    pub(crate) fn insert(&mut self, machine: &Machine, settings: &Settings) -> u32 {
        let profile = self.profile(&machine.facts, settings);
        let zone = self.zone(&machine.facts);
        let node = self.left.pop().unwrap_or_else(|| {
            self.nodes.push(None);
            number(self.nodes.len() - 1)
        });
        let rank = self.rank(&machine.id);
        let at = self.zones[zone as usize].enter(node, rank);
        let gpus = usize::from(machine.facts.gpus.count);
        self.nodes[node as usize] = Some(NodeState {
            id: machine.id.clone(),
            status: machine.status,
            duty: machine.duty,
            profile,
            zone,
            at,
            used: self.profiles[profile as usize].reserved.clone(),
            gpu_free: vec![WHOLE; gpus],
            ports: Vec::new(),
            presence: Presence::default(),
            tasks: Vec::new(),
        });
        self.by_name.insert(machine.id.clone(), node);
        node
    }

    /// Forgets a machine that holds nothing any more.
    pub(crate) fn remove(&mut self, node: u32) -> Option<NodeState> {
        let state = self.nodes.get_mut(node as usize)?.take()?;
        self.by_name.remove(&state.id);
        self.left.push(node);
        let zone = &mut self.zones[state.zone as usize];
        zone.members[state.at as usize] = None;
        zone.left.push(state.at);
        let profile = &mut self.profiles[state.profile as usize];
        profile.machines -= 1;
        if profile.machines == 0 {
            self.measure_all();
        }
        Some(state)
    }

    fn profile(&mut self, facts: &Facts, settings: &Settings) -> u32 {
        let known = self.profile_of.get(facts).copied();
        let profile = known.unwrap_or_else(|| {
            let profile = Profile::new(facts.clone(), &mut self.resources, settings);
            self.profiles.push(profile);
            let profile = number(self.profiles.len() - 1);
            self.profile_of.insert(facts.clone(), profile);
            profile
        });
        let entry = &mut self.profiles[profile as usize];
        entry.machines += 1;
        if entry.machines == 1 {
            self.yardstick.measure(entry);
        }
        profile
    }

    fn measure_all(&mut self) {
        self.yardstick = Yardstick::default();
        for profile in self.profiles.iter().filter(|profile| profile.machines > 0) {
            self.yardstick.measure(profile);
        }
    }

    fn zone(&mut self, facts: &Facts) -> u32 {
        let name = (facts.region.clone(), facts.zone.clone());
        if let Some(zone) = self.zone_of.get(&name) {
            return *zone;
        }
        let region = self.region_names.number(&facts.region);
        if self.regions.len() <= region as usize {
            self.regions.push(Presence::default());
        }
        self.zones.push(Zone {
            region,
            ..Zone::default()
        });
        let zone = number(self.zones.len() - 1);
        self.zone_of.insert(name, zone);
        zone
    }

    /// A rank between those of the neighbours by name.
    fn rank(&mut self, id: &NodeId) -> u64 {
        let between = |fleet: &Self| {
            let rank = |(_, node): (&NodeId, &u32)| fleet.rank_of(*node);
            let below = fleet.by_name.range(..id).next_back().map_or(0, rank);
            match fleet.by_name.range(id..).next().map(rank) {
                None => below.checked_add(RANK_GAP),
                Some(above) => (above - below > 1).then(|| below + (above - below) / 2),
            }
        };
        between(self).unwrap_or_else(|| {
            self.rank_anew();
            between(self).unwrap_or(u64::MAX)
        })
    }

    fn rank_of(&self, node: u32) -> u64 {
        self.node(node).map_or(0, |state| {
            self.zones[state.zone as usize].ranks[state.at as usize]
        })
    }

    /// The same order with room between neighbours again.
    fn rank_anew(&mut self) {
        let mut rank = 0;
        for node in self.by_name.values() {
            rank += RANK_GAP;
            if let Some(state) = self.nodes[*node as usize].as_ref() {
                self.zones[state.zone as usize].ranks[state.at as usize] = rank;
            }
        }
    }
}

impl Zone {
    fn enter(&mut self, node: u32, rank: u64) -> u32 {
        if let Some(at) = self.left.pop() {
            self.members[at as usize] = Some(node);
            self.ranks[at as usize] = rank;
            return at;
        }
        self.members.push(Some(node));
        self.ranks.push(rank);
        number(self.members.len() - 1)
    }
}

/// The number of something in a list; four billion are enough.
pub(crate) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
