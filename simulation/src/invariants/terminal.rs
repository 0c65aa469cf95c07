//! A4: an instance has one end, keeps it, and never comes back once it is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use model::{InstanceId, InstanceState};
use reconciliation::Write;

use super::{Verdict, demand};

#[derive(Debug, Default)]
pub(super) struct Terminal {
    ended: BTreeMap<InstanceId, InstanceState>,
    forgotten: BTreeSet<InstanceId>,
}

impl Terminal {
    pub(super) fn committed(&mut self, writes: &[Write]) -> Verdict {
        for write in writes {
            match write {
                Write::PutInstance(instance) => self.put(&instance.id, instance.state)?,
                Write::DeleteInstance(id) => drop(self.forgotten.insert(id.clone())),
                _ => {}
            }
        }
        Ok(())
    }

    fn put(&mut self, id: &InstanceId, state: InstanceState) -> Verdict {
        let known = !self.forgotten.contains(id);
        demand(known, "what is forgotten never comes back (A4)", id)?;
        if let Some(end) = self.ended.get(id) {
            return demand(*end == state, "an end is final (A4)", id);
        }
        if state.is_terminal() {
            self.ended.insert(id.clone(), state);
        }
        Ok(())
    }
}
