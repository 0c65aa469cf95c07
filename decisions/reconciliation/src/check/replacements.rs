//! What is taken away although it runs: for a new spec, and for a node that is drained.

use std::collections::{BTreeMap, BTreeSet};

use model::{InstanceId, InstanceState, ServiceName, ServiceSpec};

use super::{Judge, Verdict, demand};
use crate::plan::{Action, Plan, StopReason};

impl Judge<'_> {
    /// Within one service, at most one slot is taken away for a new spec, and a healthy one only
    /// while all the others are healthy (P5). While a roll-out has slots beyond the wish, more may
    /// go: never so many that fewer healthy ones are left than were wished for.
    pub(super) fn replacements(&self, plan: &Plan) -> Verdict {
        let mut moved: BTreeSet<&ServiceName> = BTreeSet::new();
        let mut taken: BTreeMap<&ServiceName, usize> = BTreeMap::new();
        for action in &plan.actions {
            let Action::Stop { instance: id, why } = action else {
                continue;
            };
            let drained = matches!(why, StopReason::Drained { .. });
            if !drained && !matches!(why, StopReason::Outdated { .. }) {
                continue;
            }
            let service = &id.slot.service;
            match self.snapshot.specs.get(service).filter(|_| !drained) {
                Some(spec) if spec.slots() > spec.replicas => {
                    let was_healthy = self.instance(id)?.state == InstanceState::Healthy;
                    let taken = taken.entry(service).or_default();
                    *taken += usize::from(was_healthy);
                    self.spared(spec, id, *taken)?;
                }
                _ => {
                    let alone = moved.insert(service);
                    demand(alone, "a new spec takes one slot at a time (P5)", id)?;
                    self.alone(id, drained)?;
                }
            }
        }
        let both = taken.keys().find(|service| moved.contains(*service));
        let apart = both.is_none();
        let both = both.map_or("", |service| service.as_str());
        demand(apart, "a roll-out and a drain take turns", both)
    }

    fn spared(&self, spec: &ServiceSpec, id: &InstanceId, taken: usize) -> Verdict {
        let healthy = self.healthy_of(&spec.name, spec.slots());
        let left = healthy.saturating_sub(taken);
        let enough = taken == 0 || left >= usize::try_from(spec.replicas).unwrap_or(usize::MAX);
        let rule = "a roll-out leaves as many healthy as were wished for (P5)";
        demand(enough, rule, id)
    }

    fn alone(&self, id: &InstanceId, drained: bool) -> Verdict {
        let was_healthy = self.instance(id)?.state == InstanceState::Healthy;
        // Of one that leaves a drained node, the stand-in has to be healthy too.
        let is_stand_in = drained && self.beyond_wish(&id.slot);
        let others = !was_healthy || is_stand_in || self.all_healthy(&id.slot.service, drained);
        let rule = "a healthy instance goes only while all are healthy (P5)";
        demand(others, rule, id)
    }

    fn all_healthy(&self, service: &ServiceName, with_stand_in: bool) -> bool {
        let Some(spec) = self.snapshot.specs.get(service) else {
            return false;
        };
        let slots = spec.slots() + u32::from(with_stand_in);
        let all = usize::try_from(slots).unwrap_or(usize::MAX);
        self.healthy_of(service, slots) == all
    }

    fn healthy_of(&self, service: &ServiceName, slots: u32) -> usize {
        let instances = self.snapshot.instances.values();
        let healthy = instances.filter(|i| {
            i.id.slot.service == *service
                && i.id.slot.index < slots
                && i.state == InstanceState::Healthy
        });
        healthy.count()
    }
}
