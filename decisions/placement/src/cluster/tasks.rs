//! What is placed where, and the shapes that tasks have.

use std::collections::BTreeMap;

use super::fleet::number;
use super::names::Names;
use super::shape::Shape;
use crate::task::Task;

/// A task that is placed.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) id: String,
    pub(crate) shape: u32,
    pub(crate) node: u32,
    pub(crate) devices: Vec<u16>,
}

/// All shapes and all that is placed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    pub(crate) groups: Names,
    pub(crate) shapes: Vec<Shape>,
    shape_of: BTreeMap<Task, u32>,
    placed: Vec<Option<Placed>>,
    left: Vec<u32>,
    by_id: BTreeMap<String, u32>,
}

impl Tasks {
    /// The shape of a task; a new one if none is like it.
    pub(crate) fn shape(&mut self, task: &Task, resources: &mut Names) -> u32 {
        if let Some(shape) = self.shape_of.get(task) {
            return *shape;
        }
        self.shapes
            .push(Shape::new(task, resources, &mut self.groups));
        let shape = number(self.shapes.len() - 1);
        self.shape_of.insert(task.clone(), shape);
        shape
    }

    pub(crate) fn insert(&mut self, placed: Placed) -> u32 {
        let at = self.left.pop().unwrap_or_else(|| {
            self.placed.push(None);
            number(self.placed.len() - 1)
        });
        self.by_id.insert(placed.id.clone(), at);
        self.placed[at as usize] = Some(placed);
        at
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<(u32, Placed)> {
        let at = self.by_id.remove(id)?;
        self.left.push(at);
        Some((at, self.placed[at as usize].take()?))
    }

    pub(crate) fn get(&self, at: u32) -> Option<&Placed> {
        self.placed.get(at as usize).and_then(Option::as_ref)
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Placed> {
        self.by_id.get(id).and_then(|at| self.get(*at))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}
