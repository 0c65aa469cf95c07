//! The engine: machines, what is placed on them, and an index for each shape of task.

mod explain;
pub(crate) mod fleet;
mod index;
pub(crate) mod names;
pub(crate) mod node;
pub(crate) mod outlook;
mod quota;
mod scan;
pub(crate) mod shape;
pub(crate) mod tasks;
mod tree;

use model::NodeId;

use crate::filter::{self, Area};
use crate::machine::Machine;
use crate::score;
use crate::settings::Settings;
use crate::task::{Seat, Task};
use crate::verdict::{Filter, Rejection};
use crate::{Strength, Topology, Wish};
use fleet::{Fleet, number};
use index::{Index, Log, View};
use outlook::{Expected, Outlook};
use quota::Usage;
use shape::Shape;
use tasks::{Placed, Tasks};

/// Machines and what is placed on them. It is told what is, and asked where the next one goes.
///
/// Every answer follows from the machines, what is placed and the settings alone: not from the
/// order in which they became known, nor from what was asked before.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    settings: Settings,
    pub(crate) fleet: Fleet,
    pub(crate) tasks: Tasks,
    outlook: Outlook,
    usage: Usage,
    indexes: Vec<Option<Index>>,
    log: Log,
    decisions: u64,
}

/// The best place for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where.
    pub seat: Seat,
    /// How good it is, in billionths of a weight; only to compare.
    pub score: i64,
}

/// Why something could not be recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// There is no such machine.
    #[error("there is no machine {0}")]
    NoSuchMachine(NodeId),
    /// Something of that name is placed already.
    #[error("{0} is placed already")]
    Placed(String),
}

impl Cluster {
    /// No machines yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// How the fleet is to be filled.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many machines there are.
    #[must_use]
    pub fn machines(&self) -> usize {
        self.fleet.by_name.len()
    }

    /// How many tasks are placed.
    #[must_use]
    pub fn placed(&self) -> usize {
        self.tasks.len()
    }

    /// Where a task is, if it is placed.
    #[must_use]
    pub fn seat(&self, id: &str) -> Option<Seat> {
        let placed = self.tasks.find(id)?;
        Some(Seat {
            node: self.fleet.node(placed.node)?.id.clone(),
            devices: placed.devices.clone(),
        })
    }

    /// Adds a machine, or says anew what is true of one. What is placed there stays placed, even
    /// if it does not fit there any more.
    pub fn set_machine(&mut self, machine: &Machine) {
        let before = self.fleet.yardstick.clone();
        let known = self.fleet.by_name.get(&machine.id).copied();
        let held = known.map_or_else(Vec::new, |node| self.vacate(node));
        let node = self.fleet.insert(machine, &self.settings);
        for (id, placed) in held {
            self.enter(Placed { id, node, ..placed });
        }
        self.changed(node);
        self.remeasured(&before);
    }

    /// Forgets a machine, and answers what was placed there.
    pub fn remove_machine(&mut self, id: &NodeId) -> Vec<String> {
        let before = self.fleet.yardstick.clone();
        let known = self.fleet.by_name.get(id).copied();
        let held = known.map_or_else(Vec::new, |node| self.vacate(node));
        self.remeasured(&before);
        held.into_iter().map(|(id, _)| id).collect()
    }

    /// Records that a task is somewhere. Facts are recorded as they are, whether or not a rule
    /// would have allowed them.
    ///
    /// # Errors
    /// [`PlaceError`] when there is no such machine, or the name is taken.
    pub fn place(&mut self, id: &str, task: &Task, seat: &Seat) -> Result<(), PlaceError> {
        if self.tasks.find(id).is_some() {
            return Err(PlaceError::Placed(id.to_owned()));
        }
        let node = self.fleet.by_name.get(&seat.node).copied();
        let node = node.ok_or_else(|| PlaceError::NoSuchMachine(seat.node.clone()))?;
        let shape = self.tasks.shape(task, &mut self.fleet.resources);
        self.enter(Placed {
            id: id.to_owned(),
            shape,
            node,
            devices: seat.devices.clone(),
        });
        self.changed(node);
        Ok(())
    }

    /// Says what is likely to come, in place of what was said before; it matters only to
    /// [`crate::Weights::fragmentation`]. Scores are all made anew after that, so say it when much
    /// has changed, not with every task.
    pub fn expect(&mut self, work: &[Expected]) {
        let resources = &mut self.fleet.resources;
        let groups = &mut self.tasks.groups;
        let kinds = work.iter().filter(|kind| kind.weight > 0);
        let kinds = kinds.map(|kind| (Shape::new(&kind.task, resources, groups), kind.weight));
        let uses_gpu = |(shape, _): &(Shape, u32)| shape.gpu.0 > 0;
        self.outlook = Outlook::new(kinds.filter(uses_gpu).collect());
        self.log.forget();
    }

    /// Records that a task is gone, and answers where it was.
    pub fn release(&mut self, id: &str) -> Option<Seat> {
        let seat = self.seat(id)?;
        let node = self.leave(id)?.node;
        self.changed(node);
        Some(seat)
    }

    /// The best place for a task. Nothing is recorded: see [`Cluster::place`].
    ///
    /// # Errors
    /// [`Rejection`] counts the machines by the rule that refused them first.
    pub fn decide(&mut self, task: &Task) -> Result<Choice, Rejection> {
        if !self.usage.allows(task, &self.settings) {
            let machines = self.machines();
            let refused = [(Filter::Quota, machines)].into();
            return Err(Rejection { machines, refused });
        }
        let founder = self.as_founder(task);
        let shape = self.shape_of(founder.as_ref().unwrap_or(task));
        self.outlook.meet(&self.fleet.profiles);
        if let Some(node) = &task.node {
            return self.decide_pinned(shape, node);
        }
        let mut index = self.index_of(shape);
        self.decisions += 1;
        index.asked = self.decisions;
        let view = self.view(shape);
        index.refresh(&view, &self.log);
        let best = best_of(&view, &index);
        let answer = match best {
            Some((score, node)) => self.choice(shape, node, score),
            None => Err(rejection(&view, &index)),
        };
        self.keep(shape, index);
        answer
    }

    fn decide_pinned(&self, shape: u32, node: &NodeId) -> Result<Choice, Rejection> {
        let known = self.fleet.by_name.get(node).copied();
        let mut rejection = Rejection {
            machines: usize::from(known.is_some()),
            ..Rejection::default()
        };
        let Some(node) = known else {
            return Err(rejection);
        };
        match self.judge(shape, node, self.fewest(shape)) {
            Ok(score) => self.choice(shape, node, score),
            Err(filter) => {
                rejection.refused.insert(filter, 1);
                Err(rejection)
            }
        }
    }

    fn choice(&self, shape: u32, node: u32, score: i64) -> Result<Choice, Rejection> {
        let shape = &self.tasks.shapes[shape as usize];
        let state = self.fleet.node(node).ok_or_else(Rejection::default)?;
        Ok(Choice {
            seat: Seat {
                node: state.id.clone(),
                devices: state.devices_for(shape).unwrap_or_default(),
            },
            score,
        })
    }

    /// A task that has to be with its own group cannot wait for the first one: it is the first.
    fn as_founder(&self, task: &Task) -> Option<Task> {
        let own = |term: &crate::Affinity| {
            let together = term.wish == Wish::Together && term.strength == Strength::Hard;
            together && term.group == task.group
        };
        if !task.affinities.iter().any(own) {
            return None;
        }
        let group = self.tasks.groups.find(&task.group);
        let regions = self.fleet.regions.iter();
        if group.is_some_and(|group| regions.clone().any(|region| region.hosts.get(group) > 0)) {
            return None;
        }
        let mut founder = task.clone();
        founder.affinities.retain(|term| !own(term));
        Some(founder)
    }

    pub(crate) fn shape_of(&mut self, task: &Task) -> u32 {
        self.tasks.shape(task, &mut self.fleet.resources)
    }

    fn view(&self, shape: u32) -> View<'_> {
        let shape = &self.tasks.shapes[shape as usize];
        View {
            fleet: &self.fleet,
            shape,
            weights: self.settings.weights_of(&shape.task.pool),
            outlook: &self.outlook,
        }
    }

    fn index_of(&mut self, shape: u32) -> Index {
        let at = shape as usize;
        if self.indexes.len() <= at {
            self.indexes.resize_with(at + 1, || None);
        }
        self.indexes[at].take().unwrap_or_default()
    }

    /// Keeps an index for next time; when there are too many scores, those go that were not asked
    /// for the longest time.
    fn keep(&mut self, shape: u32, index: Index) {
        self.indexes[shape as usize] = Some(index);
        while self.scores_kept() > self.settings.scores_max {
            let others = self.indexes.iter_mut().enumerate();
            let others = others.filter(|(at, index)| *at != shape as usize && index.is_some());
            let oldest = others.min_by_key(|(_, index)| index.as_ref().map(|index| index.asked));
            let Some((_, oldest)) = oldest else {
                return;
            };
            *oldest = None;
        }
    }

    fn scores_kept(&self) -> usize {
        self.indexes.iter().flatten().map(Index::len).sum()
    }

    fn changed(&mut self, node: u32) {
        if let Some(state) = self.fleet.node(node) {
            self.log
                .changed(state.zone, state.at, self.fleet.by_name.len());
        }
    }

    /// When the largest machine is another one, every score is another one.
    fn remeasured(&mut self, before: &score::Yardstick) {
        if self.fleet.yardstick != *before {
            self.log.forget();
        }
    }

    fn vacate(&mut self, node: u32) -> Vec<(String, Placed)> {
        let numbers = self.fleet.node(node).map(|state| state.tasks.clone());
        let mut held = Vec::new();
        for at in numbers.unwrap_or_default() {
            if let Some(id) = self.tasks.get(at).map(|placed| placed.id.clone()) {
                held.extend(self.leave(&id).map(|placed| (id, placed)));
            }
        }
        self.changed(node);
        self.fleet.remove(node);
        held
    }

    fn enter(&mut self, placed: Placed) {
        let (node, devices) = (placed.node, placed.devices.clone());
        let shape_at = placed.shape as usize;
        let at = self.tasks.insert(placed);
        let shape = &self.tasks.shapes[shape_at];
        self.usage.add(&shape.task);
        let Some(state) = self.fleet.nodes[node as usize].as_mut() else {
            return;
        };
        state.put(shape, &devices);
        state.tasks.push(at);
        let zone = &mut self.fleet.zones[state.zone as usize];
        zone.presence.enter(shape, Topology::Zone);
        self.fleet.regions[zone.region as usize].enter(shape, Topology::Region);
    }

    fn leave(&mut self, id: &str) -> Option<Placed> {
        let (at, placed) = self.tasks.remove(id)?;
        let shape = &self.tasks.shapes[placed.shape as usize];
        self.usage.take(&shape.task);
        let state = self.fleet.nodes[placed.node as usize].as_mut()?;
        state.take(shape, &placed.devices);
        state.tasks.retain(|task| *task != at);
        let zone = &mut self.fleet.zones[state.zone as usize];
        zone.presence.leave(shape, Topology::Zone);
        self.fleet.regions[zone.region as usize].leave(shape, Topology::Region);
        Some(placed)
    }
}

/// The best machine of all zones.
fn best_of(view: &View<'_>, index: &Index) -> Option<(i64, u32)> {
    let fewest = fewest_in(view, |zone| index.is_eligible(zone));
    let mut best: Option<(i64, u64, u32)> = None;
    for (at, zone) in view.fleet.zones.iter().enumerate() {
        let Some((score, member)) = index.best(at) else {
            continue;
        };
        let area = area_of(view.fleet, number(at), fewest);
        if filter::refused_by_area(view.shape, &area).is_some() {
            continue;
        }
        let score = score + score::of_area(view.shape, &area, view.weights);
        let rank = zone.ranks[member as usize];
        let better =
            best.is_none_or(|(most, first, _)| score > most || (score == most && rank < first));
        if let (true, Some(node)) = (better, zone.members[member as usize]) {
            best = Some((score, rank, node));
        }
    }
    best.map(|(score, _, node)| (score, node))
}

/// How many of the group are in the eligible zone that has the fewest; only asked when it matters.
pub(crate) fn fewest_in(view: &View<'_>, is_eligible: impl Fn(usize) -> bool) -> u32 {
    if view.shape.task.spread.is_none() {
        return 0;
    }
    let zones = view.fleet.zones.iter().enumerate();
    let counts = zones
        .filter(|(at, _)| is_eligible(*at))
        .map(|(_, zone)| zone.presence.hosts.get(view.shape.group));
    counts.min().unwrap_or(0)
}

pub(crate) fn area_of(fleet: &Fleet, zone: u32, fewest: u32) -> Area<'_> {
    let zone = &fleet.zones[zone as usize];
    Area {
        zone: &zone.presence,
        region: &fleet.regions[zone.region as usize],
        fewest,
    }
}

fn rejection(view: &View<'_>, index: &Index) -> Rejection {
    let mut rejection = Rejection {
        machines: view.fleet.by_name.len(),
        ..Rejection::default()
    };
    let fewest = fewest_in(view, |zone| index.is_eligible(zone));
    for (at, zone) in view.fleet.zones.iter().enumerate() {
        let mut fitting = zone.members.iter().flatten().count();
        for (filter, count) in index.refused(at).filter(|(_, count)| *count > 0) {
            *rejection.refused.entry(filter).or_default() += count;
            fitting -= count;
        }
        let area = area_of(view.fleet, number(at), fewest);
        let by_area: Option<Filter> = filter::refused_by_area(view.shape, &area);
        if let (Some(filter), 1..) = (by_area, fitting) {
            *rejection.refused.entry(filter).or_default() += fitting;
        }
    }
    rejection
}
