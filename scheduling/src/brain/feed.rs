//! What changed lately, for those who watch. Holds only what is durable.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{InstanceId, InstanceState, NodeId, ServiceName};
use reconciliation::{Change, Event, Write};
use tokio::sync::watch;

use super::memory::{EVENTS_KEPT, Numbered};

/// Commits that a watch can go on from.
const COMMITS_KEPT: usize = 4_096;

/// The records that one commit touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Services that anything was touched of.
    pub(crate) services: BTreeSet<ServiceName>,
    /// Services whose spec was.
    pub(crate) specs: BTreeSet<ServiceName>,
    pub(crate) nodes: BTreeSet<NodeId>,
    pub(crate) instances: BTreeSet<InstanceId>,
}

impl Touched {
    pub(crate) fn of(changes: &[Change]) -> Self {
        let mut touched = Self::default();
        for write in changes.iter().filter_map(|change| change.write.as_ref()) {
            match write {
                Write::PutSpec(spec) => touched.spec(&spec.name),
                Write::DeleteSpec(name) => touched.spec(name),
                Write::PutInstance(instance) => touched.instance(&instance.id),
                Write::DeleteInstance(id) => touched.instance(id),
                Write::PutSlot(slot, _) => touched.service(&slot.service),
                Write::PutNode(node) => drop(touched.nodes.insert(node.id.clone())),
                Write::DeleteNode(id) => drop(touched.nodes.insert(id.clone())),
                Write::PutLeader(_) | Write::PutRevision(_) => {}
            }
        }
        touched
    }

    fn spec(&mut self, name: &ServiceName) {
        self.service(name);
        self.specs.insert(name.clone());
    }

    fn service(&mut self, name: &ServiceName) {
        self.services.insert(name.clone());
    }

    fn instance(&mut self, id: &InstanceId) {
        self.service(&id.slot.service);
        self.instances.insert(id.clone());
    }

    fn add(&mut self, other: &Self) {
        self.services.extend(other.services.iter().cloned());
        self.specs.extend(other.specs.iter().cloned());
        self.nodes.extend(other.nodes.iter().cloned());
        self.instances.extend(other.instances.iter().cloned());
    }
}

/// Shared by the one who publishes and all who watch.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Inner>);

struct Inner {
    kept: Mutex<Kept>,
    /// The newest durable revision and event number.
    position: watch::Sender<Position>,
}

/// How far things are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) revision: u64,
    pub(crate) event: u64,
}

#[derive(Default)]
struct Kept {
    /// What commits touched, by the revision they led to, oldest first.
    commits: VecDeque<(u64, Touched)>,
    /// Everything after this revision is in `commits`.
    complete_after: u64,
    events: VecDeque<(u64, Event)>,
    /// How many instances there are in each state.
    counts: BTreeMap<InstanceState, usize>,
}

impl Feed {
    pub(crate) fn new(revision: u64, events: Numbered) -> Self {
        let event = events.last().map_or(0, |(number, _)| *number);
        Self(Arc::new(Inner {
            kept: Mutex::new(Kept {
                commits: VecDeque::new(),
                complete_after: revision,
                events: events.into(),
                counts: BTreeMap::new(),
            }),
            position: watch::Sender::new(Position { revision, event }),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn publish(&self, revision: u64, touched: Touched, events: Numbered) {
        let last = events.last().map(|(number, _)| *number);
        let mut kept = self.lock();
        kept.commits.push_back((revision, touched));
        if kept.commits.len() > COMMITS_KEPT
            && let Some((gone, _)) = kept.commits.pop_front()
        {
            kept.complete_after = gone;
        }
        kept.events.extend(events);
        let surplus = kept.events.len().saturating_sub(EVENTS_KEPT);
        kept.events.drain(..surplus);
        drop(kept);
        self.0.position.send_modify(|position| {
            position.revision = revision;
            position.event = last.unwrap_or(position.event);
        });
    }

    /// Takes note of how many instances there are in each state.
    pub(crate) fn count(&self, states: impl Iterator<Item = InstanceState>) {
        let mut counts = BTreeMap::new();
        for state in states {
            *counts.entry(state).or_default() += 1;
        }
        self.lock().counts = counts;
    }

    /// Gauges in OpenMetrics format.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::from(
            "# TYPE orrery_instances gauge\n\
             # HELP orrery_instances Instances, those that ended and are remembered included.\n",
        );
        for (state, count) in &self.lock().counts {
            let _ = writeln!(text, "orrery_instances{{state=\"{state}\"}} {count}");
        }
        let revision = self.0.position.borrow().revision;
        text.push_str("# TYPE orrery_revision gauge\n# HELP orrery_revision Of the state.\n");
        let _ = writeln!(text, "orrery_revision {revision}");
        text
    }

    /// Changes with every commit.
    pub(crate) fn position(&self) -> watch::Receiver<Position> {
        self.0.position.subscribe()
    }

    /// What was touched after a revision; `None` when that is too long ago, or was never.
    pub(crate) fn touched_after(&self, revision: u64) -> Option<Touched> {
        let kept = self.lock();
        let newest = kept
            .commits
            .back()
            .map_or(kept.complete_after, |(at, _)| *at);
        if revision < kept.complete_after || revision > newest {
            return None;
        }
        let mut all = Touched::default();
        for (_, touched) in kept
            .commits
            .iter()
            .rev()
            .take_while(|(at, _)| *at > revision)
        {
            all.add(touched);
        }
        Some(all)
    }

    /// The newest events after a number that are wanted, at most `limit`, oldest first.
    pub(crate) fn events_after(
        &self,
        after: u64,
        limit: usize,
        wanted: impl Fn(&Event) -> bool,
    ) -> Vec<(u64, Event)> {
        let kept = self.lock();
        let newer = kept.events.iter().rev().take_while(|(n, _)| *n > after);
        let mut found: Vec<_> = newer
            .filter(|(_, e)| wanted(e))
            .take(limit)
            .cloned()
            .collect();
        found.reverse();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(id: &str) -> Touched {
        let id: InstanceId = id.parse().unwrap();
        Touched {
            services: BTreeSet::from([id.slot.service.clone()]),
            instances: BTreeSet::from([id]),
            ..Touched::default()
        }
    }

    #[test]
    fn a_watch_goes_on_without_a_gap_or_is_told_that_it_cannot() {
        let feed = Feed::new(7, Vec::new());
        assert_eq!(feed.touched_after(7), Some(Touched::default()));
        assert_eq!(feed.touched_after(6), None, "from before this start");
        assert_eq!(
            feed.touched_after(8),
            None,
            "from another life of the store"
        );
        for round in 0..=COMMITS_KEPT as u64 {
            // Several revisions may be committed together.
            feed.publish(9 + 2 * round, touched("a.0.1"), Vec::new());
        }
        assert_eq!(feed.touched_after(7), None, "too long ago");
        assert_eq!(feed.touched_after(9), Some(touched("a.0.1")));
        let newest = feed.position().borrow().revision;
        assert_eq!(feed.touched_after(newest), Some(Touched::default()));
    }
}
