//! A plan, turned into state.

use model::{
    Instance, InstanceId, InstanceState, Node, NodeId, NodeStatus, Revision, ServiceName, Slot,
    Timestamp,
};

use crate::change::Ledger;
use crate::{
    Action, Change, Create, EventKind, GivenUp, Place, Plan, Snapshot, StopReason, Subject, Write,
};

/// A plan that was made from another state than the one it met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan was made at revision {}, the state is at {}: plan again", .planned.0, .actual.0)]
pub struct StalePlan {
    /// What it was made from.
    pub planned: Revision,
    /// What it met.
    pub actual: Revision,
}

/// Turns a plan into state. A plan without actions changes nothing.
///
/// # Errors
/// [`StalePlan`], with nothing changed, when the state has moved on since the plan was made.
pub fn execute(
    snapshot: &mut Snapshot,
    plan: &Plan,
    now: Timestamp,
) -> Result<Vec<Change>, StalePlan> {
    if plan.revision != snapshot.revision {
        return Err(StalePlan {
            planned: plan.revision,
            actual: snapshot.revision,
        });
    }
    let mut ledger = Ledger::new(snapshot, now);
    for action in &plan.actions {
        match action {
            Action::Create(create) => ledger.create(create),
            Action::Place(place) => ledger.place(place, "its node was chosen here"),
            Action::Stop { instance, why } => ledger.stop_for(instance, why),
            Action::Lose { instance } => ledger.lose(instance),
            Action::LoseNode { node, away_ms } => ledger.lose_node(node, *away_ms),
            Action::GiveUp { slot, reason } => ledger.give_up(slot, reason),
            Action::Forget { instance } => ledger.write(Write::DeleteInstance(instance.clone())),
        }
    }
    Ok(ledger.finish())
}

impl Ledger<'_> {
    fn create(&mut self, create: &Create) {
        let mut record = self.slot_record(&create.id.slot);
        record.generation = create.id.generation;
        self.write(Write::PutSlot(create.id.slot.clone(), record));
        let instance = Instance {
            id: create.id.clone(),
            spec_revision: create.spec_revision,
            state: match create.node {
                Some(_) => InstanceState::Scheduled,
                None => InstanceState::Pending,
            },
            node: create.node.clone(),
            port: create.port,
            process: None,
            attempt: create.attempt,
            not_before: create.not_before,
            since: self.now,
            healthy_since: None,
            reason: create.why.clone(),
            failure: None,
        };
        let kind = match create.node {
            Some(_) => EventKind::Scheduled,
            None => EventKind::Pending,
        };
        self.put(instance, kind, &create.why);
    }

    /// Gives an instance its node.
    pub(crate) fn place(&mut self, place: &Place, why: &str) {
        if let Some(instance) = self.snapshot.instances.get(&place.instance) {
            let mut instance = instance.clone();
            instance.state = InstanceState::Scheduled;
            instance.since = self.now;
            instance.node = Some(place.node.clone());
            instance.port = place.port;
            why.clone_into(&mut instance.reason);
            let why = format!("on {}: {why}", place.node);
            self.put(instance, EventKind::Scheduled, &why);
        }
    }

    fn lose_node(&mut self, id: &NodeId, away_ms: u64) {
        if let Some(node) = self.snapshot.nodes.get(id) {
            let node = Node {
                status: NodeStatus::Lost,
                since: self.now,
                ..node.clone()
            };
            let why = format!("lost: its agent was not heard of for {} s", away_ms / 1_000);
            let subject = Subject::Node(id.clone());
            self.tell(Write::PutNode(node), subject, EventKind::NodeChanged, why);
        }
    }

    fn stop_for(&mut self, id: &InstanceId, why: &StopReason) {
        if let Some(instance) = self.snapshot.instances.get(id) {
            let mut instance = instance.clone();
            instance.failure = why.failure();
            self.stop(instance, &why.to_string());
        }
    }

    /// Asks an instance to end. One that has no node yet has ended by that.
    pub(crate) fn stop(&mut self, mut instance: Instance, why: &str) {
        let (state, kind) = if instance.state == InstanceState::Pending {
            (InstanceState::Stopped, EventKind::Stopped)
        } else {
            (InstanceState::Stopping, EventKind::Stopping)
        };
        instance.state = state;
        instance.since = self.now;
        why.clone_into(&mut instance.reason);
        self.put(instance, kind, why);
    }

    fn lose(&mut self, id: &InstanceId) {
        if let Some(instance) = self.snapshot.instances.get(id) {
            let mut instance = instance.clone();
            let node = instance.node.as_ref();
            let why = node.map_or_else(String::new, |node| format!("node {node} is gone"));
            instance.state = InstanceState::Lost;
            instance.since = self.now;
            instance.reason.clone_from(&why);
            self.put(instance, EventKind::Lost, &why);
        }
    }

    fn give_up(&mut self, slot: &Slot, reason: &str) {
        let mut record = self.slot_record(slot);
        record.given_up = Some(GivenUp {
            at: self.now,
            reason: reason.to_owned(),
        });
        let write = Write::PutSlot(slot.clone(), record);
        let subject = Subject::Slot(slot.clone());
        self.tell(write, subject, EventKind::GaveUp, reason);
    }

    /// Starts the count anew for every slot of a service from `first` on.
    pub(crate) fn forgive(&mut self, service: &ServiceName, first: u32) {
        let from = Slot {
            service: service.clone(),
            index: first,
        };
        let slots = self.snapshot.slots.range(from..);
        let of_service = slots.take_while(|(slot, _)| slot.service == *service);
        let slots: Vec<Slot> = of_service.map(|(slot, _)| slot.clone()).collect();
        for slot in slots {
            self.forgive_slot(slot);
        }
    }

    /// Starts the count of one slot anew.
    pub(crate) fn forgive_slot(&mut self, slot: Slot) {
        let before = self.slot_record(&slot);
        let mut record = before.clone();
        record.forgiven = record.generation;
        record.given_up = None;
        if record != before {
            self.write(Write::PutSlot(slot, record));
        }
    }

    fn slot_record(&self, slot: &Slot) -> crate::SlotRecord {
        self.snapshot.slots.get(slot).cloned().unwrap_or_default()
    }

    fn put(&mut self, instance: Instance, kind: EventKind, why: &str) {
        let subject = Subject::Instance(instance.id.clone());
        self.tell(Write::PutInstance(Box::new(instance)), subject, kind, why);
    }
}
