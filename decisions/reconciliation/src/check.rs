//! An independent judge of plans: it shares no code with the planner, so that the two would have
//! to be wrong in the same way.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Duty, Failure, Instance, InstanceId, InstanceState, Node, NodeId, NodeStatus, ServiceName,
    ServiceSpec, Slot, Timestamp,
};

use crate::plan::{Action, Create, Plan, StopReason};
use crate::snapshot::Snapshot;

mod replacements;

/// A plan that must not be executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan breaks a rule: {rule}: {subject}")]
pub struct Violation {
    /// The rule, as a sentence.
    pub rule: &'static str,
    /// What breaks it.
    pub subject: String,
}

type Verdict = Result<(), Violation>;

fn demand(holds: bool, rule: &'static str, subject: impl ToString) -> Verdict {
    if holds {
        return Ok(());
    }
    Err(Violation {
        rule,
        subject: subject.to_string(),
    })
}

/// Judges a plan against the snapshot it was made from.
///
/// # Errors
/// [`Violation`] names the first rule that is broken, and by what.
pub fn check(snapshot: &Snapshot, plan: &Plan, now: Timestamp) -> Result<(), Violation> {
    let same = plan.revision == snapshot.revision;
    demand(same, "a plan belongs to one revision", plan.revision.0)?;
    let judge = Judge {
        snapshot,
        now,
        owners: owners(snapshot),
        healthy: snapshot
            .instances
            .values()
            .filter(|instance| instance.state == InstanceState::Healthy)
            .map(|instance| &instance.id.slot.service)
            .collect(),
    };
    judge.creations(plan)?;
    judge.places(plan)?;
    for action in &plan.actions {
        match action {
            Action::Create(_) | Action::Place(_) => {}
            Action::Stop { instance, why } => judge.stop(instance, why)?,
            Action::Lose { instance } => judge.lose(instance)?,
            Action::LoseNode { node, away_ms } => judge.lose_node(node, *away_ms)?,
            Action::GiveUp { slot, .. } => judge.give_up(slot)?,
            Action::Forget { instance } => judge.forget(instance)?,
        }
    }
    judge.replacements(plan)?;
    judge.waiting(plan)
}

/// Every instance that is not over, by slot.
fn owners(snapshot: &Snapshot) -> BTreeMap<Slot, Vec<InstanceId>> {
    let mut owners: BTreeMap<Slot, Vec<InstanceId>> = BTreeMap::new();
    for (id, instance) in &snapshot.instances {
        if !over(instance.state) {
            owners.entry(id.slot.clone()).or_default().push(id.clone());
        }
    }
    owners
}

fn over(state: InstanceState) -> bool {
    use InstanceState::{Failed, Lost, Stopped};
    [Failed, Lost, Stopped].contains(&state)
}

struct Judge<'a> {
    snapshot: &'a Snapshot,
    now: Timestamp,
    owners: BTreeMap<Slot, Vec<InstanceId>>,
    healthy: BTreeSet<&'a ServiceName>,
}

impl<'a> Judge<'a> {
    fn instance(&self, id: &InstanceId) -> Result<&'a Instance, Violation> {
        let instance = self.snapshot.instances.get(id);
        instance.ok_or_else(|| Violation {
            rule: "an action is about an instance that exists",
            subject: id.to_string(),
        })
    }

    fn wanted(&self, slot: &Slot) -> Option<&'a ServiceSpec> {
        let spec = self.snapshot.specs.get(&slot.service)?;
        let stands_in = slot.index == spec.slots() && self.is_leaving_a_node(spec);
        (slot.index < spec.slots() || stands_in).then_some(spec)
    }

    /// Whether a wanted slot of the service has, or had, an instance on a node that is drained.
    fn is_leaving_a_node(&self, spec: &ServiceSpec) -> bool {
        let instances = self.snapshot.instances.values();
        let mut wanted =
            instances.filter(|i| i.id.slot.service == spec.name && i.id.slot.index < spec.slots());
        wanted.any(|i| i.node.as_ref().is_some_and(|node| self.is_drained(node)))
    }

    fn node(&self, id: &NodeId) -> Option<&'a Node> {
        self.snapshot.nodes.get(id)
    }

    fn is_drained(&self, id: &NodeId) -> bool {
        self.node(id)
            .is_some_and(|node| node.duty == Duty::Draining)
    }

    fn creations(&self, plan: &Plan) -> Verdict {
        let mut slots: BTreeSet<&Slot> = BTreeSet::new();
        let mut ports = self.ports_in_use();
        for action in &plan.actions {
            let Action::Create(create) = action else {
                continue;
            };
            let id = &create.id;
            demand(
                slots.insert(&id.slot),
                "a slot gets one instance at a time",
                id,
            )?;
            let free = !self.owners.contains_key(&id.slot);
            demand(free, "a slot with an owner gets no second one (P1)", id)?;
            self.creation(create)?;
            if let (Some(node), Some(port)) = (&create.node, create.port) {
                let fresh = ports.insert((node.clone(), port));
                demand(fresh, "a port has one holder per node (P8)", id)?;
            }
        }
        Ok(())
    }

    fn places(&self, plan: &Plan) -> Verdict {
        let mut ports = self.ports_in_use();
        for action in &plan.actions {
            match action {
                Action::Create(create) => {
                    ports.extend(create.node.clone().zip(create.port));
                }
                Action::Place(place) => {
                    let id = &place.instance;
                    let pending = self.instance(id)?.state == InstanceState::Pending;
                    demand(pending, "only what has no node is given one", id)?;
                    let Some(spec) = self.wanted(&id.slot) else {
                        return demand(false, "only wanted slots are filled", id);
                    };
                    self.target(spec, Some(&place.node), id)?;
                    self.port(id, place.port, spec)?;
                    let port = place.port.map(|port| (place.node.clone(), port));
                    let fresh = port.is_none_or(|port| ports.insert(port));
                    demand(fresh, "a port has one holder per node (P8)", id)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether this is where the spec says that it is started.
    fn target(&self, spec: &ServiceSpec, to: Option<&NodeId>, id: &InstanceId) -> Verdict {
        let placer = self.snapshot.placer.as_ref().filter(|p| **p != spec.name);
        let placer = placer.and_then(|placer| self.snapshot.specs.get(placer));
        let asked = spec.node.is_none() && placer.is_some_and(|spec| spec.replicas > 0);
        let decides = to.is_some() != asked;
        demand(
            decides,
            "who decides where it starts is one, and not two",
            id,
        )?;
        let Some(to) = to else { return Ok(()) };
        let open = self
            .node(to)
            .is_some_and(|node| node.status == NodeStatus::Ready && node.duty == Duty::Open);
        demand(open, "nothing starts on a node that takes no work (P4)", id)?;
        let own = spec.node.as_ref().or(self.snapshot.local_node.as_ref());
        let here = own.is_none_or(|own| own == to);
        demand(here, "what is pinned stays on its node", id)
    }

    fn ports_in_use(&self) -> BTreeSet<(NodeId, u16)> {
        let instances = self.snapshot.instances.values();
        let alive = instances.filter(|instance| !over(instance.state));
        alive
            .filter_map(|i| Some((i.node.clone()?, i.port?)))
            .collect()
    }

    fn creation(&self, create: &Create) -> Verdict {
        let id = &create.id;
        let Some(spec) = self.wanted(&id.slot) else {
            return demand(false, "only wanted slots are filled", id);
        };
        self.target(spec, create.node.as_ref(), id)?;
        let current = create.spec_revision == spec.revision_at(id.slot.index);
        demand(
            current,
            "what is started is started from the current spec",
            id,
        )?;
        let due = create.not_before <= self.now;
        demand(due, "what must wait is not created", id)?;
        self.generation(create)?;
        if create.node.is_some() {
            self.port(id, create.port, spec)?;
        }
        self.start_order(create, spec)?;
        self.budget(create, spec)
    }

    fn generation(&self, create: &Create) -> Verdict {
        let id = &create.id;
        let recorded = self.snapshot.slots.get(&id.slot);
        let recorded = recorded.map_or(0, |record| record.generation.0);
        let next = id.generation.0 == recorded + 1;
        demand(
            next,
            "each start of a slot has the next generation (P7)",
            id,
        )
    }

    fn port(&self, id: &InstanceId, port: Option<u16>, spec: &ServiceSpec) -> Verdict {
        let wanted = port.is_some() == spec.ports.wanted;
        demand(
            wanted,
            "an instance has a port exactly when its service wants one",
            id,
        )?;
        let Some(port) = port else {
            return Ok(());
        };
        let well_known = spec.ports.well_known.iter().zip(0_u32..);
        let mut own = well_known.filter(|(_, index)| *index == id.slot.index);
        match own.next() {
            Some((own, _)) => demand(*own == port, "a well-known port is kept", id),
            None => {
                let dynamic = (12_000..20_000).contains(&port);
                demand(dynamic, "other ports come from 12000-19999", id)
            }
        }
    }

    fn start_order(&self, create: &Create, spec: &ServiceSpec) -> Verdict {
        let id = &create.id;
        if self.last(&id.slot).is_some() {
            return Ok(());
        }
        let ordered = spec.after.iter().all(|name| self.healthy.contains(name));
        demand(
            ordered,
            "a first start waits for what it names in `after`",
            id,
        )
    }

    fn last(&self, slot: &Slot) -> Option<&'a Instance> {
        let from = InstanceId {
            slot: slot.clone(),
            generation: model::Generation(0),
        };
        let onwards = self.snapshot.instances.range(from..);
        let of_slot = onwards.take_while(|(id, _)| id.slot == *slot);
        of_slot.last().map(|(_, instance)| instance)
    }

    /// P6: no more starts in a row than allowed, and not too soon after each other.
    fn budget(&self, create: &Create, spec: &ServiceSpec) -> Verdict {
        let id = &create.id;
        let record = self.snapshot.slots.get(&id.slot);
        let given_up = record.is_some_and(|record| record.given_up.is_some());
        demand(!given_up, "a slot that was given up is left alone", id)?;
        let Some(last) = self.last(&id.slot) else {
            return demand(create.attempt == 1, "a first start is attempt 1", id);
        };
        let forgiven = record.is_some_and(|record| last.id.generation <= record.forgiven);
        let Some(failure) = last.failure.as_ref().filter(|_| !forgiven) else {
            return Ok(());
        };
        let policy = &spec.restart;
        if last.state != InstanceState::Failed || self.healthy_long(last, policy.reset_after_ms) {
            return Ok(());
        }
        let conflict = matches!(failure, Failure::PortTaken { .. });
        let in_row = create.attempt == last.attempt + 1;
        demand(in_row || conflict, "a failed start is counted", id)?;
        let few = create.attempt <= policy.attempts_max.max(1);
        demand(few, "no more starts in a row than allowed (P6)", id)?;
        let final_word = matches!(
            failure,
            Failure::NotStarted {
                retryable: false,
                ..
            }
        );
        demand(!final_word, "what cannot help is not tried again", id)?;
        if conflict || create.attempt < 3 {
            return Ok(());
        }
        let doubled = (3..create.attempt).fold(policy.backoff_initial_ms, |pause, _| {
            pause.saturating_mul(2)
        });
        let least_ms = doubled.min(policy.backoff_max_ms) / 2;
        let paused = self.now.0 - last.since.0.min(self.now.0) >= least_ms;
        demand(paused, "starts in a row back off", id)
    }

    fn healthy_long(&self, last: &Instance, reset_after_ms: u64) -> bool {
        let since = last.healthy_since;
        since.is_some_and(|since| since.0.saturating_add(reset_after_ms) <= last.since.0)
    }

    fn stop(&self, id: &InstanceId, why: &StopReason) -> Verdict {
        let instance = self.instance(id)?;
        let running = !over(instance.state) && instance.state != InstanceState::Stopping;
        demand(
            running,
            "only what runs and was not asked is asked to end",
            id,
        )?;
        let spec = self.snapshot.specs.get(&id.slot.service);
        let just = match why {
            StopReason::Deleted => spec.is_none(),
            StopReason::ScaledDown { replicas } => {
                spec.is_some_and(|s| s.slots() == *replicas && id.slot.index >= s.slots())
            }
            StopReason::Outdated { to, .. } => spec.is_some_and(|s| {
                s.revision_at(id.slot.index) == *to && instance.spec_revision != *to
            }),
            StopReason::Drained { node } => {
                let pinned = spec.is_some_and(|spec| spec.node.as_ref() == Some(node));
                instance.node.as_ref() == Some(node) && self.is_drained(node) && !pinned
            }
            StopReason::Unresponsive { .. } => instance.state == InstanceState::Unhealthy,
            StopReason::Superseded => {
                let newest = self.owners.get(&id.slot).and_then(|owners| owners.last());
                newest.is_some_and(|newest| newest > id)
            }
        };
        demand(just, "nothing is stopped without its reason", id)
    }

    fn lose(&self, id: &InstanceId) -> Verdict {
        let instance = self.instance(id)?;
        let node = instance.node.as_ref();
        let node = node.and_then(|node| self.node(node));
        let gone = node.is_some_and(|node| node.status == NodeStatus::Lost);
        demand(
            gone && !over(instance.state),
            "only what was on a lost node is lost",
            id,
        )
    }

    fn lose_node(&self, id: &NodeId, away_ms: u64) -> Verdict {
        let patience_ms = self.snapshot.lost_after_ms;
        let away = self.node(id).is_some_and(|node| {
            node.status == NodeStatus::Away && self.now.0 - node.since.0 == away_ms
        });
        let long = patience_ms > 0 && away_ms >= patience_ms;
        demand(
            away && long,
            "a node is lost when it was away for too long",
            id,
        )
    }

    fn give_up(&self, slot: &Slot) -> Verdict {
        let failed = self
            .last(slot)
            .is_some_and(|last| last.state == InstanceState::Failed);
        let alone = !self.owners.contains_key(slot);
        let wanted = self.wanted(slot).is_some();
        demand(
            failed && alone && wanted,
            "only a slot that failed is given up",
            slot,
        )
    }

    fn forget(&self, id: &InstanceId) -> Verdict {
        let instance = self.instance(id)?;
        demand(over(instance.state), "only what has ended is forgotten", id)?;
        let last = self.last(&id.slot).is_some_and(|last| last.id == *id);
        let wished =
            self.snapshot.specs.contains_key(&id.slot.service) && !self.beyond_wish(&id.slot);
        let needed = last && wished;
        demand(!needed, "the last record of a wanted slot is kept", id)
    }

    fn beyond_wish(&self, slot: &Slot) -> bool {
        let spec = self.snapshot.specs.get(&slot.service);
        spec.is_some_and(|spec| slot.index >= spec.slots())
    }

    /// Every wanted slot without an owner is filled, given up, or waits with a reason; and when
    /// time alone ends a wait, the plan says when to look again.
    fn waiting(&self, plan: &Plan) -> Verdict {
        let mut seen: BTreeSet<&Slot> = plan.waiting.iter().map(|w| &w.slot).collect();
        for action in &plan.actions {
            match action {
                Action::Create(create) => drop(seen.insert(&create.id.slot)),
                Action::GiveUp { slot, .. } => drop(seen.insert(slot)),
                _ => {}
            }
        }
        for spec in self.snapshot.specs.values() {
            for index in 0..spec.slots() {
                let service = spec.name.clone();
                let slot = Slot { service, index };
                let answered = seen.contains(&slot) || self.owners.contains_key(&slot);
                demand(
                    answered,
                    "every wanted slot is filled or has a reason",
                    slot,
                )?;
            }
        }
        let moments = plan.waiting.iter().filter_map(|w| w.not_before);
        let soonest = moments.filter(|at| *at > self.now).min();
        let wakes = soonest.is_none_or(|at| plan.wake_at.is_some_and(|wake| wake <= at));
        demand(
            wakes,
            "the plan is looked at again when the first wait ends",
            "wake_at",
        )
    }
}
