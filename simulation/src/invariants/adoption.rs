//! A1, A2: what an agent takes for an instance's process is that instance's process.

use model::{InstanceId, ProcessIdentity};
use reconciliation::node::LocalPhase;

use super::{Verdict, demand};
use crate::world::World;

pub(super) fn check(world: &World) -> Verdict {
    for (agent, machine) in world.agents.iter().zip(&world.machines) {
        let Some(state) = &agent.state else { continue };
        for (id, local) in &state.processes {
            let watched = !matches!(local.phase, LocalPhase::Spawning | LocalPhase::Ended(_));
            let Some(identity) = local.identity.as_ref().filter(|_| watched) else {
                continue;
            };
            let own = machine.processes.get(&identity.pid);
            let own = own.is_none_or(|process| {
                process.identity != *identity || process.label.as_ref() == Some(id)
            });
            demand(own, "an agent adopts only its own (A1)", id)?;
        }
    }
    Ok(())
}

pub(super) fn signalled(
    world: &World,
    node: usize,
    id: &InstanceId,
    identity: &ProcessIdentity,
) -> Verdict {
    let process = world.machines[node].get(identity);
    let own = process.is_none_or(|process| process.label.as_ref() == Some(id));
    demand(own, "no foreign process is signalled (A2)", id)
}
