//! The same answers without any index: machine by machine. Slow and simple, what the indexes are
//! held against, and what explanations are made from.

use super::{Cluster, area_of, fewest_in};
use crate::filter;
use crate::score;
use crate::task::Task;
use crate::verdict::Filter;

impl Cluster {
    /// What [`Cluster::decide`] answers, found by looking at every machine: its name and score.
    pub fn decide_by_scan(&mut self, task: &Task) -> Option<(model::NodeId, i64)> {
        let mut best: Option<(model::NodeId, i64)> = None;
        for (node, score) in self.fitting(task) {
            if best.as_ref().is_none_or(|(_, most)| score > *most) {
                best = Some((node, score));
            }
        }
        best
    }

    /// Every machine that takes a task, with its score, in the order of their names.
    pub fn fitting(&mut self, task: &Task) -> Vec<(model::NodeId, i64)> {
        if !self.usage.allows(task, &self.settings) {
            return Vec::new();
        }
        let founder = self.as_founder(task);
        let shape = self.shape_of(founder.as_ref().unwrap_or(task));
        self.outlook.meet(&self.fleet.profiles);
        let fewest = self.fewest(shape);
        let pinned = |id: &model::NodeId| task.node.as_ref().is_none_or(|node| node == id);
        let machines = self.fleet.in_order().filter(|(_, state)| pinned(&state.id));
        machines
            .filter_map(|(node, state)| {
                let score = self.judge(shape, node, fewest).ok()?;
                Some((state.id.clone(), score))
            })
            .collect()
    }

    /// How many of the shape's group are in the eligible zone that has the fewest.
    pub(crate) fn fewest(&self, shape: u32) -> u32 {
        let view = self.view(shape);
        fewest_in(&view, |zone| {
            let members = self.fleet.zones[zone].members.iter().flatten();
            let mut states = members.filter_map(|node| self.fleet.node(*node));
            states.any(|state| {
                let place = self.fleet.place(state);
                let first = filter::refused_by_facts(view.shape, place.profile)
                    .or_else(|| filter::refused_by_place(view.shape, &place));
                first.is_none_or(|filter| !filter.is_about_facts())
            })
        })
    }

    /// The score of a shape on a machine, or the first rule that refuses it.
    pub(crate) fn judge(&self, shape: u32, node: u32, fewest: u32) -> Result<i64, Filter> {
        let view = self.view(shape);
        let state = self.fleet.node(node).ok_or(Filter::Status)?;
        let place = self.fleet.place(state);
        let area = area_of(&self.fleet, state.zone, fewest);
        let refused = filter::refused_by_facts(view.shape, place.profile)
            .or_else(|| filter::refused_by_place(view.shape, &place))
            .or_else(|| filter::refused_by_area(view.shape, &area));
        match refused {
            Some(filter) => Err(filter),
            None => {
                let measure = (&self.fleet.yardstick, view.outlook);
                let own = score::of_place(view.shape, &place, view.weights, measure);
                Ok(own + score::of_area(view.shape, &area, view.weights))
            }
        }
    }
}
