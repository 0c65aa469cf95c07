//! What must hold in the world, whatever happens; one file each.
//!
//! They look at the world itself (processes, the store's writes), never at what the control plane
//! believes, and share no code with the decisions.

mod adoption;
mod budget;
mod converged;
mod generations;
mod one_process;
mod orphans;
mod ports;
mod terminal;

use model::{InstanceId, ProcessIdentity};
use reconciliation::Write;

use crate::world::World;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub invariant: &'static str,
    /// By what.
    pub by: String,
}

/// The verdict of an invariant.
pub type Verdict = Result<(), Broken>;

fn demand(holds: bool, invariant: &'static str, by: impl ToString) -> Verdict {
    if holds {
        return Ok(());
    }
    let by = by.to_string();
    Err(Broken { invariant, by })
}

/// The memory of the invariants that need one.
#[derive(Debug, Default)]
pub struct Invariants {
    budget: budget::Budget,
    generations: generations::Generations,
    terminal: terminal::Terminal,
}

impl Invariants {
    /// After every event.
    ///
    /// # Errors
    /// What is broken.
    pub fn step(world: &World) -> Verdict {
        one_process::check(world)?;
        ports::check(world)?;
        adoption::check(world)
    }

    /// When the store committed.
    ///
    /// # Errors
    /// What is broken.
    pub fn committed(&mut self, writes: &[Write]) -> Verdict {
        self.budget.committed(writes);
        self.generations.committed(writes)?;
        self.terminal.committed(writes)
    }

    /// When an agent started a process.
    ///
    /// # Errors
    /// What is broken.
    pub fn forked(&mut self, id: &InstanceId, attempts_max: u32) -> Verdict {
        self.generations.forked(id)?;
        self.budget.forked(id, attempts_max)
    }

    /// When an agent is about to signal a process.
    ///
    /// # Errors
    /// What is broken.
    pub fn signalled(
        world: &World,
        node: usize,
        id: &InstanceId,
        identity: &ProcessIdentity,
    ) -> Verdict {
        adoption::signalled(world, node, id, identity)
    }

    /// When everything should be well.
    ///
    /// # Errors
    /// What is broken.
    pub fn settled(world: &World) -> Verdict {
        orphans::check(world)?;
        converged::check(world)
    }
}
