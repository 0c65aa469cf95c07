//! What is taken, and until when.

use std::collections::BTreeMap;

use crate::{Amounts, DIMENSIONS, short};

/// So much is held from one moment until another: it runs, or it was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// The first millisecond.
    pub from_ms: u64,
    /// The first millisecond after it.
    pub until_ms: u64,
    /// How much.
    pub demand: Amounts,
}

/// Capacity over time: how much is held, as steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    capacity: Amounts,
    /// What is held from then on. Before the first step nothing is.
    steps: BTreeMap<u64, Amounts>,
}

impl Profile {
    /// Of this capacity, with these commitments.
    #[must_use]
    pub fn new(capacity: Amounts, commitments: &[Commitment]) -> Self {
        let mut profile = Self {
            capacity,
            steps: BTreeMap::new(),
        };
        for commitment in commitments {
            profile.add(commitment);
        }
        profile
    }

    /// All there is.
    #[must_use]
    pub fn capacity(&self) -> Amounts {
        self.capacity
    }

    /// What is free then.
    #[must_use]
    pub fn free(&self, at_ms: u64) -> Amounts {
        let held = self.held(at_ms);
        std::array::from_fn(|kind| self.capacity[kind].saturating_sub(held[kind]))
    }

    fn held(&self, at_ms: u64) -> Amounts {
        let step = self.steps.range(..=at_ms).next_back();
        step.map_or([0; DIMENSIONS], |(_, held)| *held)
    }

    /// When what is held changes, after the one moment and before the other.
    pub(crate) fn edges(&self, after_ms: u64, before_ms: u64) -> Vec<u64> {
        let from = after_ms.saturating_add(1);
        if from >= before_ms {
            return Vec::new();
        }
        self.steps
            .range(from..before_ms)
            .map(|(at, _)| *at)
            .collect()
    }

    /// Holds more.
    pub fn add(&mut self, commitment: &Commitment) {
        let (from, until) = (commitment.from_ms, commitment.until_ms);
        if from >= until {
            return;
        }
        for edge in [from, until] {
            let held = self.held(edge);
            self.steps.entry(edge).or_insert(held);
        }
        for held in self.steps.range_mut(from..until).map(|(_, held)| held) {
            for (held, amount) in held.iter_mut().zip(commitment.demand) {
                *held = held.saturating_add(amount);
            }
        }
    }

    /// The first moment, not before `from_ms`, at which so much is free for so long. `None` if it
    /// is more than there is.
    #[must_use]
    pub fn earliest(&self, demand: &Amounts, runtime_ms: u64, from_ms: u64) -> Option<u64> {
        if short(demand, &self.capacity).is_some() {
            return None;
        }
        let mut candidate = from_ms;
        let mut fits = short(demand, &self.free(from_ms)).is_none();
        for &at in self
            .steps
            .range(from_ms.saturating_add(1)..)
            .map(|(at, _)| at)
        {
            if fits && at - candidate >= runtime_ms {
                return Some(candidate);
            }
            let now_fits = short(demand, &self.free(at)).is_none();
            if now_fits && !fits {
                candidate = at;
            }
            fits = now_fits;
        }
        fits.then_some(candidate)
    }
}
