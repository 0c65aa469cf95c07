//! A task made ready for the hot path: names are numbers, expressions are compiled.

use model::Class;
use regex_lite::Regex;

use crate::cluster::names::Names;
use crate::task::Task;
use crate::{Strength, Topology, Wish};

/// A task made ready for the hot path.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) task: Task,
    pub(crate) group: u32,
    /// What is asked for of each resource, by number; no zeros.
    pub(crate) request: Vec<(u32, u64)>,
    /// How many graphics processors, and how many thousandths of each.
    pub(crate) gpu: (u16, u16),
    pub(crate) affinities: Vec<Term>,
    /// For each requirement that is one, its expression; one that is wrong matches nothing.
    pub(crate) expressions: Vec<Option<Regex>>,
}

/// An affinity, its group as a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) group: u32,
    pub(crate) within: Topology,
    pub(crate) wish: Wish,
    pub(crate) strength: Strength,
}

impl Shape {
    pub(crate) fn new(task: &Task, resources: &mut Names, groups: &mut Names) -> Self {
        let amounts = task.request.iter().filter(|(_, amount)| *amount > 0);
        let affinities = task.affinities.iter().map(|term| Term {
            group: groups.number(&term.group),
            within: term.within,
            wish: term.wish,
            strength: term.strength,
        });
        let expression = |requirement: &model::Requirement| match &requirement.is {
            model::Condition::Matches(pattern) => Regex::new(pattern).ok(),
            _ => None,
        };
        Self {
            request: amounts
                .map(|(name, amount)| (resources.number(name), amount))
                .collect(),
            affinities: affinities.collect(),
            expressions: task.requirements.iter().map(expression).collect(),
            group: groups.number(&task.group),
            gpu: task.gpu.as_ref().map_or((0, 0), model::GpuRequest::devices),
            task: task.clone(),
        }
    }

    pub(crate) fn uses_headroom(&self) -> bool {
        self.task.class == Class::P0
    }

    /// All thousandths of graphics processors together.
    pub(crate) fn gpu_milli(&self) -> u64 {
        u64::from(self.gpu.0) * u64::from(self.gpu.1)
    }
}
