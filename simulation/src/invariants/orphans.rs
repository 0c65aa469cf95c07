//! Once healed: every process of ours is a live instance's process, and every live instance that
//! should have one has it.

use model::InstanceState;

use super::{Verdict, demand};
use crate::world::World;

pub(super) fn check(world: &World) -> Verdict {
    let instances = &world.control.durable.instances;
    for machine in &world.machines {
        for process in machine.processes.values() {
            let Some(label) = &process.label else {
                continue;
            };
            let instance = instances.get(label);
            let known = instance.is_some_and(|i| i.process.as_ref() == Some(&process.identity));
            demand(known, "no process without its instance (A1)", label)?;
        }
    }
    let running = instances
        .values()
        .filter(|i| i.state == InstanceState::Healthy);
    for instance in running {
        let lives = instance.process.as_ref().is_some_and(|identity| {
            world.machines.iter().any(|machine| {
                machine
                    .get(identity)
                    .is_some_and(|p| p.label.as_ref() == Some(&instance.id))
            })
        });
        demand(
            lives,
            "no healthy instance without its process (A1)",
            &instance.id,
        )?;
    }
    Ok(())
}
