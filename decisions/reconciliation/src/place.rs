//! What a placer decided.
//!
//! Decisions are made elsewhere, from a state that may be old by now, so each is looked at again
//! when it arrives: what no longer holds is refused with its reason, and decided anew.

use std::collections::BTreeSet;

use model::{Instance, InstanceId, InstanceState, NodeId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::Ledger;
use crate::plan::Place;
use crate::planner::Places;
use crate::{Change, Snapshot, Write};

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
}

/// Takes decisions into the state, each for itself.
pub fn place(
    snapshot: &mut Snapshot,
    decisions: &[Decision],
    now: Timestamp,
) -> (Vec<Change>, Vec<Result<(), Refusal>>) {
    let judged = judge(snapshot, decisions, now);
    let mut ledger = Ledger::new(snapshot, now);
    let mut verdicts = Vec::with_capacity(decisions.len());
    for (decision, verdict) in decisions.iter().zip(judged) {
        verdicts.push(verdict.map(|port| ledger.take(decision, port)));
    }
    (ledger.finish(), verdicts)
}

/// The port that each placement gets, or why it is refused.
fn judge(
    snapshot: &Snapshot,
    decisions: &[Decision],
    now: Timestamp,
) -> Vec<Result<Option<u16>, Refusal>> {
    let all: Vec<&Instance> = snapshot.instances.values().collect();
    let mut places = Places::new(snapshot, &all, now);
    let mut decided = BTreeSet::new();
    let verdicts = decisions.iter().map(|decision| {
        let (Decision::On { instance, .. } | Decision::Nowhere { instance, .. }) = decision;
        let state = pending(snapshot, instance)?.state;
        if !decided.insert(instance) {
            let instance = instance.clone();
            return Err(Refusal::NotPending { instance, state });
        }
        match decision {
            Decision::On { node, .. } => port(snapshot, &mut places, instance, node),
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

fn port(
    snapshot: &Snapshot,
    places: &mut Places<'_>,
    id: &InstanceId,
    node: &NodeId,
) -> Result<Option<u16>, Refusal> {
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
    let taken = places.take_port(spec, &id.slot, node);
    taken.map_err(|(why, _)| Refusal::NoPort(why.to_string()))
}
