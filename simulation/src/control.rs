//! A fake `scheduling`: production's decisions over a store that loses what was not committed.

use model::{NodeId, Timestamp};
use reconciliation::{
    Change, Command, CommandError, Ignored, Report, Snapshot, Violation, Write, check, command,
    execute, observe, plan,
};

use crate::mutants::Mutant;

/// The control plane.
#[derive(Clone, Debug)]
pub struct Control {
    /// What the store holds.
    pub durable: Snapshot,
    /// What it knows; `None` while it is down.
    pub memory: Option<Snapshot>,
    /// Written, not yet durable.
    pub uncommitted: Vec<Write>,
    /// Which of its lives this is.
    pub life: u64,
}

impl Control {
    /// A control plane that has not been started yet, with an empty store.
    #[must_use]
    pub fn new(local_node: Option<NodeId>, seed: u64) -> Self {
        Self {
            durable: Snapshot::new(local_node, seed),
            memory: None,
            uncommitted: Vec::new(),
            life: 0,
        }
    }

    /// It is killed: what was not committed is gone.
    pub fn crash(&mut self) {
        self.life += 1;
        self.memory = None;
        self.uncommitted.clear();
    }

    /// It starts from its store.
    pub fn start(&mut self, mutant: Mutant) {
        self.life += 1;
        let mut memory = self.durable.clone();
        match mutant {
            Mutant::BudgetResetOnRestart => {
                for instance in memory.instances.values_mut() {
                    instance.attempt = 1;
                }
            }
            Mutant::GenerationFromRecords => {
                for (slot, record) in &mut memory.slots {
                    let ids = memory.instances.keys().filter(|id| id.slot == *slot);
                    let live = ids.filter(|id| !memory.instances[*id].state.is_terminal());
                    record.generation = live.map(|id| id.generation).max().unwrap_or_default();
                }
            }
            _ => {}
        }
        self.memory = Some(memory);
    }

    /// Takes a report.
    ///
    /// # Errors
    /// Why it was ignored.
    pub fn observe(
        &mut self,
        report: &Report,
        now: Timestamp,
        mutant: Mutant,
    ) -> Result<(), Ignored> {
        let Some(memory) = &mut self.memory else {
            return Ok(());
        };
        let verdict = observe(memory, report, now);
        if mutant == Mutant::TerminalReopened
            && let Err(Ignored::Terminal { instance, .. }) = &verdict
            && let Some(instance) = memory.instances.get_mut(instance)
        {
            instance.state = model::InstanceState::Starting;
            let write = Write::PutInstance(Box::new(instance.clone()));
            self.uncommitted.push(write);
        }
        verdict.map(|changes| self.wrote(changes))
    }

    /// Takes a command.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn command(&mut self, what: Command, now: Timestamp) -> Result<(), CommandError> {
        let Some(memory) = &mut self.memory else {
            return Ok(());
        };
        let changes = command(memory, what, now)?;
        self.wrote(changes);
        Ok(())
    }

    /// Plans, has the plan judged, executes it; says when to plan again.
    ///
    /// # Errors
    /// What the independent checker found wrong with the plan.
    pub fn reconcile(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Violation> {
        let Some(memory) = &mut self.memory else {
            return Ok(None);
        };
        let plan = plan(memory, now);
        check(memory, &plan, now)?;
        let wake_at = plan.wake_at;
        if let Ok(changes) = execute(memory, &plan, now) {
            self.wrote(changes);
        }
        Ok(wake_at)
    }

    /// What was written becomes durable.
    pub fn commit(&mut self) -> Vec<Write> {
        let writes = std::mem::take(&mut self.uncommitted);
        for write in &writes {
            self.durable.apply(write.clone());
        }
        writes
    }

    fn wrote(&mut self, changes: Vec<Change>) {
        let writes = changes.into_iter().filter_map(|change| change.write);
        self.uncommitted.extend(writes);
    }
}
