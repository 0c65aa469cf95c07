//! What a placer decided.
//!
//! Decisions are made elsewhere, from a state that may be old by now, so each is looked at again
//! when it arrives: what no longer holds is refused with its reason, and decided anew.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Generation, Instance, InstanceId, InstanceState, NodeId, Resources, ServiceSpec, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::change::Ledger;
use crate::plan::Place;
use crate::planner::Places;
use crate::{Change, EventKind, Leader, Snapshot, Subject, Write};

/// What was decided about one instance that waits for a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is started here.
    On {
        /// Which.
        instance: InstanceId,
        /// Where.
        node: NodeId,
        /// Why there, as a fragment.
        why: String,
    },
    /// There is no place for it now.
    Nowhere {
        /// Which.
        instance: InstanceId,
        /// Why not, and what would help.
        why: String,
    },
}

/// Why a decision changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such instance any more.
    #[error("no instance is called {0}")]
    Unknown(InstanceId),
    /// It does not wait for a node.
    #[error("{instance} is {state} and waits for no node")]
    NotPending {
        /// Which.
        instance: InstanceId,
        /// How it is.
        state: InstanceState,
    },
    /// The node takes no work.
    #[error("node {node} takes no work: it is {status}")]
    NotOpen {
        /// Which.
        node: NodeId,
        /// How it is, in a word.
        status: String,
    },
    /// The spec names another node.
    #[error("{instance} runs on node {node} and nowhere else")]
    Pinned {
        /// Which.
        instance: InstanceId,
        /// Where.
        node: NodeId,
    },
    /// There is no port for it.
    #[error("{0}")]
    NoPort(String),
    /// What is there is kept for others.
    #[error("node {node} has {free} {resource} to give, and {asked} are asked for")]
    NoRoom {
        /// Where.
        node: NodeId,
        /// Of what.
        resource: String,
        /// How much nobody has.
        free: u64,
        /// How much it asks for.
        asked: u64,
    },
}

/// Whoever decided decides no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("generation {by} does not decide: {}", leads(.leader))]
pub struct Deposed {
    /// The generation that it was elected with.
    pub by: u64,
    /// Who decides now.
    pub leader: Leader,
}

fn leads(leader: &Leader) -> String {
    match leader.generation.0 {
        0 => "nobody was elected yet".to_owned(),
        now => format!("{} leads, with generation {now}", leader.name),
    }
}

/// What came of decisions: the changes, and for each decision whether it was taken.
pub type Placed = (Vec<Change>, Vec<Result<(), Refusal>>);

/// Takes decisions of the leader `by` into the state, each for itself.
///
/// # Errors
/// [`Deposed`] when another one leads; nothing has changed then.
pub fn place(
    snapshot: &mut Snapshot,
    by: Generation,
    decisions: &[Decision],
    now: Timestamp,
) -> Result<Placed, Deposed> {
    if by != snapshot.leader.generation || by == Generation(0) {
        let leader = snapshot.leader.clone();
        return Err(Deposed { by: by.0, leader });
    }
    let judged = judge(snapshot, decisions, now);
    let mut ledger = Ledger::new(snapshot, now);
    let mut verdicts = Vec::with_capacity(decisions.len());
    for (decision, verdict) in decisions.iter().zip(judged) {
        verdicts.push(verdict.map(|port| ledger.take(decision, port)));
    }
    Ok((ledger.finish(), verdicts))
}

/// Lets another replica decide.
pub(crate) fn elect(snapshot: &mut Snapshot, name: String, now: Timestamp) -> Vec<Change> {
    let generation = Generation(snapshot.leader.generation.0 + 1);
    let placer = snapshot.placer.clone();
    let why = format!("{name}, with generation {}", generation.0);
    let mut ledger = Ledger::new(snapshot, now);
    let write = Write::PutLeader(Leader { name, generation });
    match placer {
        Some(placer) => ledger.tell(write, Subject::Service(placer), EventKind::Elected, why),
        None => ledger.write(write),
    }
    ledger.finish()
}

/// The port that each placement gets, or why it is refused.
fn judge(
    snapshot: &Snapshot,
    decisions: &[Decision],
    now: Timestamp,
) -> Vec<Result<Option<u16>, Refusal>> {
    let mut places: Option<Places<'_>> = None;
    let mut rooms = Rooms::new(snapshot, decisions);
    let mut decided = BTreeSet::new();
    let verdicts = decisions.iter().map(|decision| {
        let (Decision::On { instance, .. } | Decision::Nowhere { instance, .. }) = decision;
        let state = pending(snapshot, instance)?.state;
        if !decided.insert(instance) {
            let instance = instance.clone();
            return Err(Refusal::NotPending { instance, state });
        }
        match decision {
            Decision::On { node, .. } => {
                let spec = target(snapshot, instance, node)?.at(instance.slot.index);
                let request = spec.request();
                rooms.check(node, &request)?;
                let mut port = None;
                if spec.ports.wanted {
                    let places = places.get_or_insert_with(|| Places::new(snapshot, now));
                    let taken = places.take_port(&spec, &instance.slot, node);
                    port = taken.map_err(|(why, _)| Refusal::NoPort(why.to_string()))?;
                }
                rooms.take(node, &request);
                Ok(port)
            }
            Decision::Nowhere { .. } => Ok(None),
        }
    });
    verdicts.collect()
}

impl Ledger<'_> {
    fn take(&mut self, decision: &Decision, port: Option<u16>) {
        match decision {
            Decision::On {
                instance,
                node,
                why,
            } => {
                let (instance, node) = (instance.clone(), node.clone());
                let place = Place {
                    instance,
                    node,
                    port,
                };
                self.place(&place, why);
            }
            Decision::Nowhere { instance, why } => {
                let waits = self.snapshot.instances.get(instance);
                if let Some(waits) = waits.filter(|waits| waits.reason != *why) {
                    let mut waits = waits.clone();
                    waits.reason.clone_from(why);
                    self.write(Write::PutInstance(Box::new(waits)));
                }
            }
        }
    }
}

fn pending<'a>(snapshot: &'a Snapshot, id: &InstanceId) -> Result<&'a Instance, Refusal> {
    let instance = snapshot.instances.get(id);
    let instance = instance.ok_or_else(|| Refusal::Unknown(id.clone()))?;
    if instance.state != InstanceState::Pending {
        return Err(Refusal::NotPending {
            instance: id.clone(),
            state: instance.state,
        });
    }
    Ok(instance)
}

/// The spec of an instance that may be started there.
fn target<'a>(
    snapshot: &'a Snapshot,
    id: &InstanceId,
    node: &NodeId,
) -> Result<&'a ServiceSpec, Refusal> {
    let known = snapshot.nodes.get(node);
    if !known.is_some_and(model::Node::takes_work) {
        return Err(Refusal::NotOpen {
            node: node.clone(),
            status: known.map_or("unknown", model::Node::as_str).to_owned(),
        });
    }
    let spec = snapshot.specs.get(&id.slot.service);
    let spec = spec.ok_or_else(|| Refusal::Unknown(id.clone()))?;
    if let Some(own) = spec.node.as_ref().filter(|own| *own != node) {
        return Err(Refusal::Pinned {
            instance: id.clone(),
            node: own.clone(),
        });
    }
    Ok(spec)
}

/// How much is left on the nodes that are decided on.
struct Rooms<'a>(BTreeMap<&'a NodeId, Resources>);

impl<'a> Rooms<'a> {
    fn new(snapshot: &Snapshot, decisions: &'a [Decision]) -> Self {
        let mut rooms = BTreeMap::new();
        for decision in decisions {
            let Decision::On { node, .. } = decision else {
                continue;
            };
            let known = snapshot.nodes.get(node);
            let has = known.map_or_else(Resources::default, |node| node.facts.resources.clone());
            rooms.entry(node).or_insert(has);
        }
        let mut rooms = Self(rooms);
        for instance in snapshot.instances.values() {
            let node = instance
                .node
                .as_ref()
                .filter(|_| !instance.state.is_terminal());
            let here = node.filter(|node| rooms.0.contains_key(node));
            let spec = snapshot.specs.get(&instance.id.slot.service);
            if let (Some(node), Some(spec)) = (here, spec) {
                rooms.take(node, &spec.request());
            }
        }
        rooms
    }

    fn check(&self, node: &NodeId, request: &Resources) -> Result<(), Refusal> {
        let room = self.0.get(node);
        let free = |resource: &str| room.map_or(0, |room| room.get(resource));
        let short = request
            .iter()
            .find(|(resource, asked)| *asked > free(resource));
        short.map_or(Ok(()), |(resource, asked)| {
            Err(Refusal::NoRoom {
                node: node.clone(),
                resource: resource.to_owned(),
                free: free(resource),
                asked,
            })
        })
    }

    fn take(&mut self, node: &NodeId, request: &Resources) {
        let Some(room) = self.0.get_mut(node) else {
            return;
        };
        for (resource, amount) in request.iter() {
            if let Some(left) = room.0.get_mut(resource) {
                *left = left.saturating_sub(amount);
            }
        }
    }
}
