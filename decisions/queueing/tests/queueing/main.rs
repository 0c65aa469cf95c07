//! The disciplines, as specification: order, shares, and that nobody starves.

mod classes;
mod disciplines;
mod fairness;
mod feedback;
mod limits;
mod room;

use queueing::{Discipline, Work};

/// Everything that waits, in its order at one moment.
fn drain(queue: &mut impl Discipline, now_ms: u64) -> Vec<u64> {
    std::iter::from_fn(|| queue.pop(now_ms))
        .map(|work| work.id)
        .collect()
}

fn of_tenant(id: u64, tenant: u32, demand: u64, runtime_ms: u64) -> Work {
    Work {
        tenant,
        runtime_ms,
        demand: [demand, 0, 0, 0],
        ..Work::new(id)
    }
}
