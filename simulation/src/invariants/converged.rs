//! Liveness: once healed, what is is what is wished for, and every exception has its reason.

use model::InstanceState;

use super::{Verdict, demand};
use crate::world::{Program, World};

pub(super) fn check(world: &World) -> Verdict {
    let durable = &world.control.durable;
    for spec in durable.specs.values() {
        let healthy = durable
            .instances_of(&spec.name)
            .filter(|i| {
                i.state == InstanceState::Healthy
                    && i.spec_revision == spec.revision_at(i.id.slot.index)
            })
            .count();
        let given_up = durable
            .slots
            .iter()
            .filter(|(slot, record)| {
                slot.service == spec.name && slot.index < spec.slots() && record.given_up.is_some()
            })
            .count();
        let wanted = usize::try_from(spec.slots()).unwrap_or(usize::MAX);
        let live = durable
            .instances_of(&spec.name)
            .filter(|i| !i.state.is_terminal());
        let live: Vec<_> = live.map(|i| format!("{} {}", i.id, i.state)).collect();
        let name = &spec.name;
        let by = format!("{name}: {healthy} healthy, {given_up} given up, of {wanted}: {live:?}");
        match Program::of(&spec.name) {
            Program::DiesAtStart | Program::NoSuchFile => {
                demand(given_up == wanted, "what cannot run is given up", by)?;
            }
            _ => demand(healthy + given_up == wanted, "what can run runs", by)?,
        }
    }
    let wished = |id: &model::InstanceId| durable.specs.contains_key(&id.slot.service);
    let left = durable.instances.keys().find(|id| !wished(id));
    demand(
        left.is_none(),
        "a deleted service leaves nothing",
        format!("{left:?}"),
    )
}
