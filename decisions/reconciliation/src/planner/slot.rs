//! One slot: exactly one instance that is not terminal, sooner or later.

use model::{Generation, Instance, InstanceId, InstanceState, ServiceSpec, Slot, Timestamp};

use super::restart::{self, Next};
use super::{Planner, RECORDS_KEPT};
use crate::{Action, Create, Place, StopReason, WaitReason, Waiting};

impl<'a> Planner<'a> {
    /// `records`: the slot's instances, oldest first.
    pub(super) fn slot(&mut self, spec: &'a ServiceSpec, index: u32, records: &[&'a Instance]) {
        self.forget_old(records);
        let owner = records.iter().rposition(|i| !i.state.is_terminal());
        let Some(owner) = owner else {
            let slot = Slot {
                service: spec.name.clone(),
                index,
            };
            return self.empty(spec, slot, records.last().copied());
        };
        for older in &records[..owner] {
            if !older.state.is_terminal() && older.state != InstanceState::Stopping {
                self.stop(older, StopReason::Superseded);
            }
        }
        self.owned(spec, records[owner]);
    }

    fn forget_old(&mut self, records: &[&Instance]) {
        let ended = records.iter().filter(|i| i.state.is_terminal());
        let surplus = ended.clone().count().saturating_sub(RECORDS_KEPT);
        for old in ended.take(surplus) {
            let instance = old.id.clone();
            self.plan.actions.push(Action::Forget { instance });
        }
    }

    fn owned(&mut self, spec: &ServiceSpec, owner: &Instance) {
        if self.lost(owner) {
            return;
        }
        let instance = || owner.id.clone();
        match owner.state {
            InstanceState::Unhealthy => {
                let why = owner.reason.clone();
                self.stop(owner, StopReason::Unresponsive { why });
            }
            InstanceState::Stopping => {
                let reason = WaitReason::Stopping {
                    instance: instance(),
                };
                self.wait(owner.id.slot.clone(), reason, None);
            }
            InstanceState::Pending => self.pending(spec, owner),
            _ => {}
        }
    }

    /// What was created without a node gets one here, unless somebody else decides that.
    fn pending(&mut self, spec: &ServiceSpec, owner: &Instance) {
        let slot = &owner.id.slot;
        let taken = if self.snapshot.asks_placer(spec) {
            let (instance, why) = (owner.id.clone(), owner.reason.clone());
            Err((WaitReason::Unplaced { instance, why }, None))
        } else {
            self.places().take(spec, slot)
        };
        match taken {
            Ok((node, port)) => self.plan.actions.push(Action::Place(Place {
                instance: owner.id.clone(),
                node,
                port,
            })),
            Err((reason, until)) => self.wait(slot.clone(), reason, until),
        }
    }

    /// Takes note of an instance whose node is gone.
    pub(super) fn lost(&mut self, instance: &Instance) -> bool {
        let node = instance.node.as_ref();
        let lost = node.is_some_and(|node| self.lost.contains(node));
        if lost {
            let instance = instance.id.clone();
            self.plan.actions.push(Action::Lose { instance });
        }
        lost
    }

    pub(super) fn wait(&mut self, slot: Slot, reason: WaitReason, until: Option<Timestamp>) {
        self.plan.waiting.push(Waiting {
            slot,
            reason,
            not_before: until,
        });
    }

    /// Fills an empty slot, or says what it waits for.
    fn empty(&mut self, spec: &'a ServiceSpec, slot: Slot, last: Option<&Instance>) {
        match self.fill(spec, &slot, last) {
            Ok(action) => self.plan.actions.push(action),
            Err((reason, until)) => self.wait(slot, reason, until),
        }
    }

    fn fill(
        &mut self,
        spec: &'a ServiceSpec,
        slot: &Slot,
        last: Option<&Instance>,
    ) -> Result<Action, (WaitReason, Option<Timestamp>)> {
        let record = self.snapshot.slots.get(slot);
        if let Some(given_up) = record.and_then(|record| record.given_up.as_ref()) {
            let reason = given_up.reason.clone();
            return Err((WaitReason::GivenUp { reason }, None));
        }
        let forgiven = record.map_or(Generation(0), |record| record.forgiven);
        let (attempt, not_before, why) =
            match restart::next(spec, last, forgiven, self.snapshot.seed) {
                Next::GiveUp { reason } => {
                    let slot = slot.clone();
                    return Ok(Action::GiveUp { slot, reason });
                }
                Next::Start {
                    attempt,
                    not_before,
                    why,
                } => (attempt, not_before, why),
            };
        if not_before > self.now {
            let reason = WaitReason::Backoff {
                attempt,
                after: why,
            };
            return Err((reason, Some(not_before)));
        }
        if last.is_none() {
            self.dependencies(spec)?;
        }
        let (node, port) = if self.snapshot.asks_placer(spec) {
            (None, None)
        } else {
            let (node, port) = self.places().take(spec, slot)?;
            (Some(node), port)
        };
        let newest = record.map_or(Generation(0), |record| record.generation);
        Ok(Action::Create(Create {
            id: InstanceId {
                slot: slot.clone(),
                generation: newest.next(),
            },
            spec_revision: spec.revision_at(slot.index),
            node,
            port,
            attempt,
            not_before: self.now,
            why,
        }))
    }

    /// Whether everything that the first start must wait for is there.
    fn dependencies(&self, spec: &ServiceSpec) -> Result<(), (WaitReason, Option<Timestamp>)> {
        let missing = spec.after.iter().find(|name| !self.healthy.contains(name));
        missing.map_or(Ok(()), |name| {
            let reason = WaitReason::Dependency {
                service: name.clone(),
                exists: self.snapshot.specs.contains_key(name),
            };
            Err((reason, None))
        })
    }
}
