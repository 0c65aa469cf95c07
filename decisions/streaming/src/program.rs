//! A program as the controller sees it: operators and edges, nothing of what they compute.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::names::{OperatorId, TaskId};

/// The most subtasks a job may have, so that a typing error cannot fill the memory.
pub const TASKS_MAX: u64 = 1_000_000;

/// One operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Which.
    pub id: OperatorId,
    /// For people.
    pub name: String,
    /// How many subtasks.
    pub parallelism: u32,
    /// Barriers start here.
    #[serde(default)]
    pub source: bool,
    /// It makes rows visible with a commit, and cannot withdraw them: a job that has one may not
    /// fall back past a checkpoint that was committed.
    #[serde(default)]
    pub shows: bool,
}

/// How rows go from one operator to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exchange {
    /// Subtask i to subtask i. Between unequal parallelisms it is a shuffle.
    Forward,
    /// By key, to all.
    Shuffle,
}

/// From one operator to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Who sends.
    pub from: OperatorId,
    /// Who receives.
    pub to: OperatorId,
    /// How.
    pub exchange: Exchange,
}

/// Operators and edges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The operators.
    pub operators: Vec<Operator>,
    /// What flows between them.
    pub edges: Vec<Edge>,
}

/// How many subtasks each operator has.
pub type Parallelism = BTreeMap<OperatorId, u32>;

/// Why a program cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// It computes nothing.
    #[error("the program has no operators")]
    Empty,
    /// Nothing would ever flow, and no barrier would ever start.
    #[error("the program has no source")]
    NoSource,
    /// Two operators share a number.
    #[error("operator {0} is declared twice")]
    Twice(OperatorId),
    /// A parallelism of 0.
    #[error("operator {0} has a parallelism of 0; it needs at least 1")]
    NoSubtasks(OperatorId),
    /// More subtasks than [`TASKS_MAX`].
    #[error("the program has {0} subtasks; at most {TASKS_MAX} are possible")]
    TooManyTasks(u64),
    /// An edge names what is not there.
    #[error("there is no operator {0}, though an edge names it")]
    Unknown(OperatorId),
    /// An edge leads, over others, back to where it starts.
    #[error("operator {0} is part of a circle")]
    Circle(OperatorId),
}

impl Program {
    /// The parallelism of each operator.
    pub fn parallelism(&self) -> Parallelism {
        let of = |operator: &Operator| (operator.id, operator.parallelism);
        self.operators.iter().map(of).collect()
    }

    /// Whether it can run.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), ProgramError> {
        if self.operators.is_empty() {
            return Err(ProgramError::Empty);
        }
        let mut known = BTreeSet::new();
        for operator in &self.operators {
            if !known.insert(operator.id) {
                return Err(ProgramError::Twice(operator.id));
            }
        }
        if !self.operators.iter().any(|o| o.source) {
            return Err(ProgramError::NoSource);
        }
        for id in self.edges.iter().flat_map(|edge| [edge.from, edge.to]) {
            if !known.contains(&id) {
                return Err(ProgramError::Unknown(id));
            }
        }
        let parallelism = self.parallelism();
        if let Some((id, _)) = parallelism.iter().find(|(_, subtasks)| **subtasks == 0) {
            return Err(ProgramError::NoSubtasks(*id));
        }
        let tasks: u64 = parallelism.values().copied().map(u64::from).sum();
        if tasks > TASKS_MAX {
            return Err(ProgramError::TooManyTasks(tasks));
        }
        self.check_circles(known)
    }

    /// Takes away, again and again, what nothing flows into; a circle remains.
    fn check_circles(&self, mut left: BTreeSet<OperatorId>) -> Result<(), ProgramError> {
        let mut inputs: BTreeMap<OperatorId, usize> = BTreeMap::new();
        let mut outputs: BTreeMap<OperatorId, Vec<OperatorId>> = BTreeMap::new();
        for edge in &self.edges {
            *inputs.entry(edge.to).or_default() += 1;
            outputs.entry(edge.from).or_default().push(edge.to);
        }
        let free = left.iter().filter(|id| !inputs.contains_key(id));
        let mut free: Vec<OperatorId> = free.copied().collect();
        while let Some(id) = free.pop() {
            left.remove(&id);
            for to in outputs.remove(&id).unwrap_or_default() {
                let Some(count) = inputs.get_mut(&to) else {
                    continue;
                };
                *count -= 1;
                if *count == 0 {
                    free.push(to);
                }
            }
        }
        left.first()
            .map_or(Ok(()), |id| Err(ProgramError::Circle(*id)))
    }

    /// Every subtask, in order.
    pub fn tasks(&self) -> Vec<TaskId> {
        let of = |operator: &Operator| {
            let id = operator.id.0;
            (0..operator.parallelism).map(move |subtask| TaskId::new(id, subtask))
        };
        self.operators.iter().flat_map(of).collect()
    }

    /// Whether this is a subtask of a source.
    pub fn is_source(&self, task: TaskId) -> bool {
        let is = |o: &Operator| o.id == task.operator && o.source;
        self.operators.iter().any(is)
    }

    /// Whether a restore may go back past a checkpoint that was committed.
    pub fn rewinds(&self) -> bool {
        !self.operators.iter().any(|operator| operator.shows)
    }
}

/// How many slots a job of this parallelism takes: subtask i of every operator shares slot i.
pub fn slots_needed(parallelism: &Parallelism) -> u32 {
    parallelism.values().copied().max().unwrap_or(0)
}
