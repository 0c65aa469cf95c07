//! P7: a generation is used once, and generations of a slot only grow.

use std::collections::BTreeMap;

use model::{Generation, InstanceId, Slot};
use reconciliation::Write;

use super::{Verdict, demand};

#[derive(Debug, Default)]
pub(super) struct Generations {
    started: BTreeMap<Slot, Generation>,
    recorded: BTreeMap<Slot, Generation>,
}

impl Generations {
    pub(super) fn forked(&mut self, id: &InstanceId) -> Verdict {
        let before = self.started.insert(id.slot.clone(), id.generation);
        let grows = before.is_none_or(|before| before < id.generation);
        demand(
            grows,
            "a generation is started once, and they only grow (P7)",
            id,
        )
    }

    pub(super) fn committed(&mut self, writes: &[Write]) -> Verdict {
        for write in writes {
            if let Write::PutSlot(slot, record) = write {
                let before = self.recorded.insert(slot.clone(), record.generation);
                let grows = before.is_none_or(|before| before <= record.generation);
                demand(grows, "a slot's generation never goes back (P7)", slot)?;
            }
        }
        Ok(())
    }
}
