//! P8: a port belongs to one live instance of a node.

use std::collections::BTreeSet;

use super::{Verdict, demand};
use crate::world::World;

pub(super) fn check(world: &World) -> Verdict {
    let mut given = BTreeSet::new();
    for instance in world.control.durable.instances.values() {
        if instance.state.is_terminal() {
            continue;
        }
        if let (Some(node), Some(port)) = (&instance.node, instance.port) {
            let first = given.insert((node, port));
            demand(
                first,
                "a port is given once (P8)",
                format!("{} {port}", instance.id),
            )?;
        }
    }
    Ok(())
}
