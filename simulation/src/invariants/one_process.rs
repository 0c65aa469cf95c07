//! P1: never two owners of one slot in the store, never two live processes of one slot anywhere.

use std::collections::BTreeSet;

use super::{Verdict, demand};
use crate::world::World;

pub(super) fn check(world: &World) -> Verdict {
    let mut slots = BTreeSet::new();
    for machine in &world.machines {
        for label in machine.processes.values().filter_map(|p| p.label.as_ref()) {
            let first = slots.insert(&label.slot);
            demand(first, "one live process per slot (P1)", label)?;
        }
    }
    let mut owned = BTreeSet::new();
    for instance in world.control.durable.instances.values() {
        if !instance.state.is_terminal() {
            let first = owned.insert(&instance.id.slot);
            demand(first, "one owner per slot in the store (P1)", &instance.id)?;
        }
    }
    Ok(())
}
