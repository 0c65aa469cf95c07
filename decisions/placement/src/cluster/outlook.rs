//! What is likely to come, made ready for the hot path.

use serde::{Deserialize, Serialize};

use super::node::Profile;
use super::shape::Shape;
use crate::filter;
use crate::task::Task;

/// A kind of task that is likely to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// What one of them asks for.
    pub task: Task,
    /// How many of them for how many of the others.
    pub weight: u32,
}

/// The kinds of which each asks for graphics processors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outlook {
    pub(crate) kinds: Vec<Kind>,
    /// For each profile, which kinds it suits.
    suits: Vec<Vec<bool>>,
}

/// One kind.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) shape: Shape,
    /// All weights together are 1.
    pub(crate) weight: f64,
}

impl Outlook {
    pub(crate) fn new(kinds: Vec<(Shape, u32)>) -> Self {
        let total: f64 = kinds.iter().map(|(_, weight)| f64::from(*weight)).sum();
        let kinds = kinds.into_iter().map(|(shape, weight)| Kind {
            shape,
            weight: f64::from(weight) / total,
        });
        Self {
            kinds: kinds.collect(),
            suits: Vec::new(),
        }
    }

    /// Takes note of profiles that are new.
    pub(crate) fn meet(&mut self, profiles: &[Profile]) {
        if self.kinds.is_empty() {
            return;
        }
        for profile in profiles.iter().skip(self.suits.len()) {
            let suits = |kind: &Kind| filter::refused_by_facts(&kind.shape, profile).is_none();
            self.suits.push(self.kinds.iter().map(suits).collect());
        }
    }

    /// The kinds, and whether machines of a profile suit them.
    pub(crate) fn of(&self, profile: u32) -> impl Iterator<Item = (&Kind, bool)> {
        let suits = self.suits.get(profile as usize);
        let suits = suits.map_or(&[][..], Vec::as_slice);
        self.kinds.iter().zip(suits.iter().copied())
    }
}
