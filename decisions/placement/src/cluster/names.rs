//! Small numbers for names, so that the hot path compares numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Names in the order in which they were first seen, each with its number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    names: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, u32>,
}

impl Names {
    /// The number of a name; a new one if it has none.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let name: Arc<str> = name.into();
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn name(&self, number: u32) -> &Arc<str> {
        &self.names[number as usize]
    }
}

/// How often each number occurs; the few that do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(Vec<(u32, u32)>);

impl Counts {
    pub(crate) fn get(&self, number: u32) -> u32 {
        let found = self.0.binary_search_by_key(&number, |entry| entry.0);
        found.map_or(0, |at| self.0[at].1)
    }

    pub(crate) fn add(&mut self, number: u32) {
        match self.0.binary_search_by_key(&number, |entry| entry.0) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (number, 1)),
        }
    }

    pub(crate) fn take(&mut self, number: u32) {
        if let Ok(at) = self.0.binary_search_by_key(&number, |entry| entry.0) {
            self.0[at].1 -= 1;
            if self.0[at].1 == 0 {
                self.0.remove(at);
            }
        }
    }
}
