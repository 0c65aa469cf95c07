//! P6: no more starts in a row than the policy allows, across restarts of everything.

use std::collections::BTreeMap;

use model::{Generation, InstanceId, InstanceState, Slot};
use reconciliation::Write;

use super::{Verdict, demand};
use crate::world::RESET_AFTER_MS;

#[derive(Debug, Default)]
pub(super) struct Budget {
    in_row: BTreeMap<Slot, u32>,
    forgiven: BTreeMap<Slot, Generation>,
}

impl Budget {
    pub(super) fn forked(&mut self, id: &InstanceId, attempts_max: u32) -> Verdict {
        let forgiven = self.forgiven.get(&id.slot);
        if forgiven.is_some_and(|forgiven| id.generation <= *forgiven) {
            return Ok(());
        }
        let in_row = self.in_row.entry(id.slot.clone()).or_default();
        *in_row += 1;
        let within = *in_row <= attempts_max;
        demand(within, "no more starts in a row than allowed (P6)", id)
    }

    /// A row ends when an instance was well for long enough, ended for another reason than its
    /// own failure, or was forgiven by an operator.
    pub(super) fn committed(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::PutSlot(slot, record) if record.forgiven == record.generation => {
                    self.in_row.remove(slot);
                    self.forgiven.insert(slot.clone(), record.forgiven);
                }
                Write::PutInstance(instance) => {
                    let well = instance.healthy_since;
                    let well = well.map_or(0, |since| instance.since.since_ms(since));
                    let ended = instance.state.is_terminal();
                    let innocent = instance.state != InstanceState::Failed;
                    if ended && (innocent || well >= RESET_AFTER_MS) {
                        self.in_row.remove(&instance.id.slot);
                    }
                }
                _ => {}
            }
        }
    }
}
