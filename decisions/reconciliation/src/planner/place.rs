//! Which node and which port.

use std::collections::{BTreeMap, BTreeSet};

use model::{Failure, Instance, InstanceId, NodeId, ServiceSpec, Slot, Timestamp};

use crate::{Snapshot, WaitReason};

/// The first port that instances without a well-known one get.
pub const DYNAMIC_PORT_FIRST: u16 = 12_000;
/// The last one.
pub const DYNAMIC_PORT_LAST: u16 = 19_999;
/// How long a dynamic port that a foreign process held is avoided on that node, in milliseconds.
pub const PORT_AVOIDED_MS: u64 = 60_000;

pub(crate) type Wait = (WaitReason, Option<Timestamp>);

/// Who has which port, and how busy each node is; kept up to date while the plan grows.
pub(crate) struct Places<'a> {
    snapshot: &'a Snapshot,
    now: Timestamp,
    ports: BTreeMap<NodeId, NodePorts>,
    /// Nodes that take work, the least busy first.
    ready: BTreeSet<(u32, &'a NodeId)>,
    reserved: BTreeSet<u16>,
}

#[derive(Default)]
struct NodePorts {
    held: BTreeMap<u16, InstanceId>,
    avoided: BTreeSet<u16>,
    /// Every dynamic port below this one was found unusable while planning.
    next: u16,
}

impl<'a> Places<'a> {
    /// Looks at every instance, so ask for it only when something is to be placed.
    pub(crate) fn new(snapshot: &'a Snapshot, now: Timestamp) -> Self {
        let mut ports: BTreeMap<NodeId, NodePorts> = BTreeMap::new();
        let mut busy: BTreeMap<&NodeId, u32> = BTreeMap::new();
        for instance in snapshot.instances.values() {
            let Some(node) = &instance.node else { continue };
            if !instance.state.is_terminal() {
                *busy.entry(node).or_default() += 1;
            }
            match held_or_avoided(instance, now) {
                Some(Held::Held(port)) => {
                    let id = instance.id.clone();
                    entry(&mut ports, node).held.insert(port, id);
                }
                Some(Held::Avoided(port)) => {
                    entry(&mut ports, node).avoided.insert(port);
                }
                None => {}
            }
        }
        let specs = snapshot.specs.values();
        Self {
            snapshot,
            now,
            ports,
            ready: snapshot
                .nodes
                .values()
                .filter(|node| node.takes_work())
                .map(|node| (busy.get(&node.id).copied().unwrap_or(0), &node.id))
                .collect(),
            reserved: specs
                .flat_map(|spec| spec.ports.well_known.iter().copied())
                .collect(),
        }
    }

    /// Takes a node and, if the service wants one, a port for the slot's next instance.
    pub(super) fn take(
        &mut self,
        spec: &ServiceSpec,
        slot: &Slot,
    ) -> Result<(NodeId, Option<u16>), Wait> {
        let (load, node) = self.node(spec)?;
        let port = self.take_port(spec, slot, node)?;
        self.ready.remove(&(load, node));
        self.ready.insert((load + 1, node));
        Ok((node.clone(), port))
    }

    /// Takes a port of a node for the slot's next instance, if the service wants one.
    pub(crate) fn take_port(
        &mut self,
        spec: &ServiceSpec,
        slot: &Slot,
        node: &NodeId,
    ) -> Result<Option<u16>, Wait> {
        if !spec.ports.wanted {
            return Ok(None);
        }
        self.port(spec, slot, node).map(Some)
    }

    fn node(&self, spec: &ServiceSpec) -> Result<(u32, &'a NodeId), Wait> {
        let Some(own) = spec.node.as_ref().or(self.snapshot.local_node.as_ref()) else {
            let least_busy = self.ready.first().copied();
            return least_busy.ok_or((WaitReason::NoNodeReady, None));
        };
        if let Some(found) = self.ready.iter().find(|(_, node)| *node == own) {
            return Ok(*found);
        }
        let (node, known) = (own.clone(), self.snapshot.nodes.get(own));
        let status = known.map(|node| node.as_str().to_owned());
        Err((WaitReason::NodeNotReady { node, status }, None))
    }

    fn port(&mut self, spec: &ServiceSpec, slot: &Slot, node: &NodeId) -> Result<u16, Wait> {
        let index = usize::try_from(slot.index).unwrap_or(usize::MAX);
        let ports = entry(&mut self.ports, node);
        let port = match spec.ports.well_known.get(index) {
            Some(&port) => match ports.held.get(&port) {
                None => port,
                Some(holder) => {
                    let holder = holder.clone();
                    return Err((WaitReason::PortHeld { port, holder }, None));
                }
            },
            None => ports.lowest_free(&self.reserved).ok_or_else(|| {
                let again = self.now.plus_ms(PORT_AVOIDED_MS);
                let until = (!ports.avoided.is_empty()).then_some(again);
                (WaitReason::NoPortFree { node: node.clone() }, until)
            })?,
        };
        // The holder is only named while it waits for this very port: any id of the slot will do.
        let holder = InstanceId {
            slot: slot.clone(),
            generation: model::Generation(0),
        };
        ports.held.insert(port, holder);
        Ok(port)
    }
}

impl NodePorts {
    fn lowest_free(&mut self, reserved: &BTreeSet<u16>) -> Option<u16> {
        let first = self.next.max(DYNAMIC_PORT_FIRST);
        let free = |port: &u16| {
            !self.held.contains_key(port)
                && !self.avoided.contains(port)
                && !reserved.contains(port)
        };
        let found = (first..=DYNAMIC_PORT_LAST).find(free);
        self.next = found.map_or(DYNAMIC_PORT_LAST + 1, |port| port + 1);
        found
    }
}

fn entry<'p>(ports: &'p mut BTreeMap<NodeId, NodePorts>, node: &NodeId) -> &'p mut NodePorts {
    if !ports.contains_key(node) {
        ports.insert(node.clone(), NodePorts::default());
    }
    ports.entry(node.clone()).or_default()
}

enum Held {
    Held(u16),
    Avoided(u16),
}

/// What an instance says about the ports of its node.
fn held_or_avoided(instance: &Instance, now: Timestamp) -> Option<Held> {
    if !instance.state.is_terminal() {
        return instance.port.map(Held::Held);
    }
    match &instance.failure {
        Some(Failure::PortTaken { port, .. }) => {
            let recent = now.since_ms(instance.since) < PORT_AVOIDED_MS;
            recent.then_some(Held::Avoided(*port))
        }
        _ => None,
    }
}
