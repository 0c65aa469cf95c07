//! A changed spec reaches the slots of a service one at a time, and a version that is rolled out
//! with slots beyond the wish as many at a time as these carry.

use model::{Instance, InstanceState, ServiceSpec, Slot};

use super::Planner;
use crate::{StopReason, WaitReason};

impl<'a> Planner<'a> {
    /// `wanted`: the instances of the wanted slots, ordered.
    ///
    /// What is not healthy has nothing to lose, so it is replaced first; a healthy instance goes
    /// only when every other slot is healthy. A new spec that does not work therefore costs one
    /// slot, and stays there.
    pub(super) fn rollout(&mut self, spec: &ServiceSpec, wanted: &[&'a Instance]) {
        let owners = || wanted.iter().filter(|i| !i.state.is_terminal());
        let outdated = |i: &Instance| i.spec_revision != spec.revision_at(i.id.slot.index);
        let next = owners().find(|i| outdated(i) && i.state != InstanceState::Stopping);
        let Some(first) = next else { return };
        if self.stops_one_of(spec) {
            return;
        }
        if spec.slots() > spec.replicas {
            return self.roll(spec, wanted);
        }
        if let Some(behind) = owners().find(|i| i.state == InstanceState::Stopping) {
            return self.hold_rollout(first, &behind.id.slot);
        }
        let sick = owners().find(|i| outdated(i) && i.state != InstanceState::Healthy);
        let victim = match sick {
            Some(sick) => sick,
            None => match first_not_healthy(spec, spec.slots(), wanted) {
                Some(behind) => return self.hold_rollout(first, &behind),
                None => first,
            },
        };
        self.outdated(spec, victim);
    }

    /// With slots beyond the wish: whatever is not healthy goes, and of the healthy ones as many
    /// as there are more of than were wished for.
    fn roll(&mut self, spec: &ServiceSpec, wanted: &[&'a Instance]) {
        let healthy = wanted.iter().filter(|i| i.state == InstanceState::Healthy);
        let replicas = usize::try_from(spec.replicas).unwrap_or(usize::MAX);
        let mut spare = healthy.count().saturating_sub(replicas);
        let (mut held, mut going) = (None, first_not_healthy(spec, spec.slots(), wanted));
        for instance in wanted.iter().copied() {
            let slot = &instance.id.slot;
            let ends = instance.state.is_terminal() || instance.state == InstanceState::Stopping;
            if ends || instance.spec_revision == spec.revision_at(slot.index) {
                continue;
            }
            if instance.state == InstanceState::Healthy {
                if spare == 0 {
                    held = held.or(Some(instance));
                    continue;
                }
                spare -= 1;
            }
            going.get_or_insert_with(|| slot.clone());
            self.outdated(spec, instance);
        }
        if let (Some(held), Some(behind)) = (held, going) {
            self.hold_rollout(held, &behind);
        }
    }

    fn outdated(&mut self, spec: &ServiceSpec, victim: &Instance) {
        let to = spec.revision_at(victim.id.slot.index);
        let from = victim.spec_revision;
        self.stop(victim, StopReason::Outdated { from, to });
    }

    /// Whether this plan already ends an instance of a wanted slot of the service.
    pub(super) fn stops_one_of(&self, spec: &ServiceSpec) -> bool {
        let wanted = |slot: &Slot| slot.service == spec.name && slot.index < spec.slots();
        let actions = self.plan.actions.iter().rev();
        let of_service = actions.take_while(|action| action.service() == Some(&spec.name));
        of_service
            .filter_map(|action| action.ends())
            .any(|instance| wanted(&instance.slot))
    }

    fn hold_rollout(&mut self, outdated: &Instance, behind: &Slot) {
        let reason = WaitReason::Rollout {
            behind: behind.clone(),
        };
        self.wait(outdated.id.slot.clone(), reason, None);
    }
}

/// The first of so many slots that has no healthy instance.
pub(super) fn first_not_healthy(
    spec: &ServiceSpec,
    slots: u32,
    wanted: &[&Instance],
) -> Option<Slot> {
    let healthy = wanted.iter().filter(|i| i.state == InstanceState::Healthy);
    let mut healthy = healthy.map(|i| i.id.slot.index);
    let first_gap = (0..slots).find(|index| healthy.next() != Some(*index));
    first_gap.map(|index| Slot {
        service: spec.name.clone(),
        index,
    })
}
