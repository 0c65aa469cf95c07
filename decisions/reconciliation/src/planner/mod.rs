//! From a snapshot to a plan.

mod drain;
mod nodes;
mod place;
mod restart;
mod rollout;
mod slot;

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Duty, Instance, InstanceState, NodeId, NodeStatus, ServiceName, ServiceSpec, Timestamp,
};

pub use self::nodes::{LOST_PAUSE_MANY_MS, LOST_PAUSE_MS};
pub(crate) use self::place::Places;
pub use self::place::{DYNAMIC_PORT_FIRST, DYNAMIC_PORT_LAST, PORT_AVOIDED_MS};
pub use self::restart::backoff_ms;
use crate::{Action, Plan, Snapshot, StopReason};

/// How many ended instances of a slot are remembered, for the operator and for the restart count.
pub const RECORDS_KEPT: usize = 3;

/// Compares wishes with facts: what must change, what waits for what, and when to look again.
///
/// Reads nothing but its arguments, and the same arguments give the same plan. A snapshot that is
/// as wished gives a plan without actions. Linear in the size of the snapshot, up to a logarithm.
#[must_use]
pub fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let all: Vec<&Instance> = snapshot.instances.values().collect();
    let mut by_service: BTreeMap<&ServiceName, &[&Instance]> = all
        .chunk_by(|a, b| a.id.slot.service == b.id.slot.service)
        .map(|of_one| (&of_one[0].id.slot.service, of_one))
        .collect();
    let mut planner = Planner::new(snapshot, &all, now);
    planner.nodes();
    for (name, spec) in &snapshot.specs {
        let instances = by_service.remove(name).unwrap_or_default();
        planner.service(spec, instances);
    }
    for orphans in by_service.values() {
        planner.unwanted(orphans, &StopReason::Deleted);
    }
    planner.finish()
}

/// What is gathered on the way through the services.
struct Planner<'a> {
    snapshot: &'a Snapshot,
    now: Timestamp,
    healthy: BTreeSet<&'a ServiceName>,
    /// Most of the time these are few or none, which makes it cheap to ask for every instance.
    lost: BTreeSet<&'a NodeId>,
    draining: BTreeSet<&'a NodeId>,
    /// Made when it is first asked for.
    places: Option<Places<'a>>,
    plan: Plan,
    /// When time alone makes another plan worthwhile, beside what waits.
    look_again: Option<Timestamp>,
}

impl<'a> Planner<'a> {
    fn new(snapshot: &'a Snapshot, all: &[&'a Instance], now: Timestamp) -> Self {
        let is_healthy = |i: &&&Instance| i.state == InstanceState::Healthy;
        let nodes = || snapshot.nodes.values();
        let lost = nodes().filter(|node| node.status == NodeStatus::Lost);
        let draining = nodes().filter(|node| node.duty == Duty::Draining);
        Self {
            snapshot,
            now,
            healthy: all
                .iter()
                .filter(is_healthy)
                .map(|i| &i.id.slot.service)
                .collect(),
            lost: lost.map(|node| &node.id).collect(),
            draining: draining.map(|node| &node.id).collect(),
            places: None,
            plan: Plan {
                revision: snapshot.revision,
                ..Plan::default()
            },
            look_again: None,
        }
    }

    fn service(&mut self, spec: &'a ServiceSpec, instances: &[&'a Instance]) {
        let slots = spec.slots() + self.stand_ins(spec, instances);
        let wanted = instances.partition_point(|i| i.id.slot.index < slots);
        let (wanted, unwanted) = instances.split_at(wanted);
        let replicas = spec.slots();
        self.unwanted(unwanted, &StopReason::ScaledDown { replicas });
        let mut rest = wanted;
        for index in 0..slots {
            let here = rest.partition_point(|i| i.id.slot.index <= index);
            let (records, further) = rest.split_at(here);
            rest = further;
            self.slot(spec, index, records);
        }
        let base = wanted.partition_point(|i| i.id.slot.index < spec.slots());
        self.rollout(spec, &wanted[..base]);
        self.drain(spec, wanted);
    }

    /// Ends what has no slot any more, highest index first, and forgets what has ended.
    fn unwanted(&mut self, instances: &[&Instance], why: &StopReason) {
        for instance in instances.iter().rev() {
            if instance.state.is_terminal() {
                let instance = instance.id.clone();
                self.plan.actions.push(Action::Forget { instance });
            } else if !self.lost(instance) && instance.state != InstanceState::Stopping {
                self.stop(instance, why.clone());
            }
        }
    }

    fn places(&mut self) -> &mut Places<'a> {
        let (snapshot, now) = (self.snapshot, self.now);
        self.places
            .get_or_insert_with(|| Places::new(snapshot, now))
    }

    fn stop(&mut self, instance: &Instance, why: StopReason) {
        let instance = instance.id.clone();
        self.plan.actions.push(Action::Stop { instance, why });
    }

    fn look_again(&mut self, at: Timestamp) {
        self.look_again = Some(self.look_again.map_or(at, |sooner| sooner.min(at)));
    }

    fn finish(mut self) -> Plan {
        let later = |at: &Timestamp| *at > self.now;
        let moments = self.plan.waiting.iter().filter_map(|w| w.not_before);
        self.plan.wake_at = moments.chain(self.look_again).filter(later).min();
        self.plan
    }
}
