//! The graph of our crates: cycles, what is drawn after transitive reduction, the longest chain.

use std::collections::{BTreeMap, BTreeSet};

/// Who depends on whom.
#[derive(Default)]
pub(crate) struct Graph {
    below: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    pub(crate) fn add_node(&mut self, name: &str) {
        self.below.entry(name.to_string()).or_default();
    }

    pub(crate) fn add_arrow(&mut self, from: &str, to: &str) {
        self.add_node(to);
        self.below
            .entry(from.to_string())
            .or_default()
            .insert(to.to_string());
    }

    pub(crate) fn node_count(&self) -> usize {
        self.below.len()
    }

    /// A cycle, first crate repeated at the end, if there is one.
    pub(crate) fn cycle(&self) -> Option<Vec<String>> {
        self.below.keys().find_map(|start| {
            let mut trail = self.trail(start, start, &mut BTreeSet::new())?;
            trail.push(start.clone());
            trail.reverse();
            Some(trail)
        })
    }

    /// The way from `from` to `goal` over at least one arrow, last crate first.
    fn trail<'a>(
        &'a self,
        from: &'a str,
        goal: &str,
        seen: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<String>> {
        for next in &self.below[from] {
            if next == goal {
                return Some(vec![next.clone()]);
            }
            if seen.insert(next)
                && let Some(mut trail) = self.trail(next, goal, seen)
            {
                trail.push(next.clone());
                return Some(trail);
            }
        }
        None
    }

    /// How many arrows a drawing needs: those that no longer way implies (without cycles only).
    pub(crate) fn drawn_arrows(&self) -> usize {
        let implied = |to: &String, below: &BTreeSet<String>| {
            let others = below.iter().filter(|other| *other != to);
            others
                .into_iter()
                .any(|other| self.trail(other, to, &mut BTreeSet::new()).is_some())
        };
        self.below
            .values()
            .map(|below| below.iter().filter(|to| !implied(to, below)).count())
            .sum()
    }

    /// The longest chain of crates, top first. Needs a graph without cycles.
    pub(crate) fn longest_chain(&self) -> Vec<String> {
        let mut known = BTreeMap::new();
        let chains = self
            .below
            .keys()
            .map(|name| self.chain_from(name, &mut known));
        chains.max_by_key(Vec::len).unwrap_or_default()
    }

    fn chain_from<'a>(
        &'a self,
        name: &'a str,
        known: &mut BTreeMap<&'a str, Vec<String>>,
    ) -> Vec<String> {
        if let Some(chain) = known.get(name) {
            return chain.clone();
        }
        let below = self.below[name]
            .iter()
            .map(|next| self.chain_from(next, known));
        let mut chain = vec![name.to_string()];
        chain.extend(below.max_by_key(Vec::len).unwrap_or_default());
        known.insert(name, chain.clone());
        chain
    }
}
