//! A node is emptied service by service, and no service ever has less than it wished for.
//!
//! While an instance of a service is on a node that is being drained, the service has one slot
//! more: the stand-in. When that is healthy too, one instance goes; its slot is filled elsewhere.
//! When all are healthy again, the next one goes. In the end the stand-in is one too many.

use model::{Instance, InstanceState, NodeId, ServiceSpec};

use super::Planner;
use super::rollout::first_not_healthy;
use crate::{StopReason, WaitReason};

impl<'a> Planner<'a> {
    /// How many slots a service has beyond its wish: one while something of it has to move.
    pub(super) fn stand_ins(&self, spec: &ServiceSpec, instances: &[&Instance]) -> u32 {
        let base = instances.partition_point(|i| i.id.slot.index < spec.slots());
        let mut slots = instances[..base].chunk_by(|a, b| a.id.slot == b.id.slot);
        u32::from(slots.any(|records| self.has_to_move(spec, records)))
    }

    /// Whether a slot's instance is on a node that is being drained, or was and has not been
    /// replaced yet.
    fn has_to_move(&self, spec: &ServiceSpec, records: &[&Instance]) -> bool {
        let leaves = |i: &&Instance| self.leaves(spec, i).is_some();
        let is_healthy = |i: &&Instance| i.state == InstanceState::Healthy;
        let healthy = records.iter().copied().rfind(is_healthy);
        healthy.map_or_else(|| records.iter().any(leaves), |i| leaves(&i))
    }

    /// The node that an instance has to leave.
    fn leaves<'i>(&self, spec: &ServiceSpec, instance: &'i Instance) -> Option<&'i NodeId> {
        let node = instance.node.as_ref()?;
        (self.draining.contains(node) && spec.node.as_ref() != Some(node)).then_some(node)
    }

    /// `wanted`: the instances of the service's slots, the stand-in's too.
    pub(super) fn drain(&mut self, spec: &ServiceSpec, wanted: &[&'a Instance]) {
        let owners = || wanted.iter().copied().filter(|i| !i.state.is_terminal());
        let leaving =
            |i: &&Instance| i.state != InstanceState::Stopping && self.leaves(spec, i).is_some();
        let Some(first) = owners().find(leaving) else {
            return;
        };
        if self.stops_one_of(spec) {
            return;
        }
        let stand_in = spec.slots();
        let has_nothing_to_lose = |i: &&Instance| {
            leaving(i) && (i.state != InstanceState::Healthy || i.id.slot.index >= stand_in)
        };
        let victim = owners().find(has_nothing_to_lose).unwrap_or(first);
        let Some(node) = self.leaves(spec, victim).cloned() else {
            return;
        };
        if !has_nothing_to_lose(&victim)
            && let Some(behind) = first_not_healthy(spec, stand_in + 1, wanted)
        {
            let slot = victim.id.slot.clone();
            return self.wait(slot, WaitReason::Draining { node, behind }, None);
        }
        self.stop(victim, StopReason::Drained { node });
    }
}
