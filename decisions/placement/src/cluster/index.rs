//! For each shape of task a tournament of the machines of each zone, brought up to date with what
//! changed since it was last asked: a decision costs as many scores as machines have changed.

use super::fleet::Fleet;
use super::outlook::Outlook;
use super::shape::Shape;
use super::tree::{NOTHING, Tree};
use crate::filter;
use crate::score;
use crate::settings::Weights;
use crate::verdict::Filter;

/// Which places changed, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    changes: Vec<(u32, u32)>,
    /// How many changes were forgotten.
    forgotten: u64,
}

impl Log {
    pub(crate) fn changed(&mut self, zone: u32, at: u32, machines: usize) {
        self.changes.push((zone, at));
        self.trim(machines);
    }

    /// Who lags behind by more than there are machines looks at all of them anew anyway.
    fn trim(&mut self, machines: usize) {
        let most = machines.max(1_024);
        if self.changes.len() > 2 * most {
            self.changes.drain(..most);
            self.forgotten += most as u64;
        }
    }

    /// Everything changed.
    pub(crate) fn forget(&mut self) {
        self.forgotten += self.changes.len() as u64 + 1;
        self.changes.clear();
    }

    pub(crate) fn now(&self) -> u64 {
        self.forgotten + self.changes.len() as u64
    }

    fn since(&self, then: u64) -> Option<&[(u32, u32)]> {
        let from = usize::try_from(then.checked_sub(self.forgotten)?).ok()?;
        self.changes.get(from..)
    }
}

/// The machines of one zone, as one shape sees them.
#[derive(Clone, Debug)]
struct ZoneIndex {
    tree: Tree,
    /// How many machines each rule refuses first.
    refused: [u32; Filter::ALL.len()],
}

/// All machines, as one shape sees them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    zones: Vec<ZoneIndex>,
    /// What the rules about facts say to each profile: not asked yet, nothing, or which refuses.
    by_facts: Vec<Option<Option<Filter>>>,
    seen: Option<u64>,
    /// When it was last asked, in decisions.
    pub(crate) asked: u64,
}

/// What an index is made from.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) shape: &'a Shape,
    pub(crate) weights: &'a Weights,
    pub(crate) outlook: &'a Outlook,
}

/// A refusal as a score: below every score, those about facts lowest.
fn refusal(filter: Filter) -> i64 {
    NOTHING + 1 + filter as i64
}

fn refuser(score: i64) -> Option<Filter> {
    let at = score.checked_sub(NOTHING + 1)?;
    usize::try_from(at)
        .ok()
        .and_then(|at| Filter::ALL.get(at).copied())
}

impl Index {
    /// How many scores it keeps.
    pub(crate) fn len(&self) -> usize {
        self.zones.iter().map(|zone| zone.tree.len()).sum()
    }

    /// Looks at whatever changed since it was last looked at.
    pub(crate) fn refresh(&mut self, view: &View<'_>, log: &Log) {
        self.by_facts.resize(view.fleet.profiles.len(), None);
        let changes = self.seen.and_then(|seen| log.since(seen));
        match changes {
            Some(changes) if changes.len() <= view.fleet.by_name.len() => {
                for &(zone, at) in changes {
                    self.update(view, zone, at);
                }
            }
            _ => self.zones.clear(),
        }
        for zone in self.zones.len()..view.fleet.zones.len() {
            let built = self.build(view, zone);
            self.zones.push(built);
        }
        self.seen = Some(log.now());
    }

    fn update(&mut self, view: &View<'_>, zone: u32, at: u32) {
        let zone = zone as usize;
        if zone >= self.zones.len() {
            return;
        }
        if !self.zones[zone].tree.has_room_for(at) {
            self.zones[zone] = self.build(view, zone);
            return;
        }
        let members = &view.fleet.zones[zone].members;
        let score = self.score(view, members[at as usize]);
        let index = &mut self.zones[zone];
        if let Some(filter) = refuser(index.tree.score(at)) {
            index.refused[filter as usize] -= 1;
        }
        if let Some(filter) = refuser(score) {
            index.refused[filter as usize] += 1;
        }
        index.tree.set(at, score, &view.fleet.zones[zone].ranks);
    }

    fn build(&mut self, view: &View<'_>, zone: usize) -> ZoneIndex {
        let mut refused = [0; Filter::ALL.len()];
        let zone = &view.fleet.zones[zone];
        let mut scores = Vec::with_capacity(zone.members.len().next_power_of_two());
        for member in &zone.members {
            let score = self.score(view, *member);
            if let Some(filter) = refuser(score) {
                refused[filter as usize] += 1;
            }
            scores.push(score);
        }
        ZoneIndex {
            tree: Tree::new(scores, &zone.ranks),
            refused,
        }
    }

    fn score(&mut self, view: &View<'_>, member: Option<u32>) -> i64 {
        let Some(node) = member.and_then(|node| view.fleet.node(node)) else {
            return NOTHING;
        };
        let place = view.fleet.place(node);
        let known = &mut self.by_facts[node.profile as usize];
        let by_facts =
            *known.get_or_insert_with(|| filter::refused_by_facts(view.shape, place.profile));
        let refused = by_facts.or_else(|| filter::refused_by_place(view.shape, &place));
        match refused {
            Some(filter) => refusal(filter),
            None => {
                let measure = (&view.fleet.yardstick, view.outlook);
                score::of_place(view.shape, &place, view.weights, measure)
            }
        }
    }

    /// Whether a zone has a machine that could take the shape if it were empty.
    pub(crate) fn is_eligible(&self, zone: usize) -> bool {
        self.zones[zone].tree.best().0 >= refusal(Filter::Ports)
    }

    /// The best machine of a zone that takes the shape, with its score, by its place there.
    pub(crate) fn best(&self, zone: usize) -> Option<(i64, u32)> {
        let (score, at) = self.zones[zone].tree.best();
        (score >= 0).then_some((score, at))
    }

    /// How many machines of a zone each rule refuses first.
    pub(crate) fn refused(&self, zone: usize) -> impl Iterator<Item = (Filter, usize)> + '_ {
        let counts = self.zones[zone].refused.iter();
        let counted = Filter::ALL.into_iter().zip(counts);
        counted.map(|(filter, count)| (filter, *count as usize))
    }
}
