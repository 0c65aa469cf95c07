//! The state, as callers see it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use model::{Artifact, Failure, Instance, InstanceState, ServiceSpec};
use reconciliation::{Event, Snapshot, Subject, Waiting};
use scheduling::{EventItem, InstanceInfo, ServiceInfo, WaitingSlot};

use crate::brain::View;

pub(crate) fn instance(snapshot: &Snapshot, instance: &Instance) -> InstanceInfo {
    let id = &instance.id;
    let node = instance
        .node
        .as_ref()
        .and_then(|node| snapshot.nodes.get(node));
    let host = node.and_then(|node| node.facts.host.parse().ok());
    let host = host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    InstanceInfo {
        id: id.to_string(),
        service: id.slot.service.to_string(),
        index: id.slot.index,
        generation: id.generation.0,
        state: state(instance.state),
        node: instance.node.as_ref().map(ToString::to_string),
        address: instance
            .port
            .map(|port| SocketAddr::new(host, port).to_string()),
        port: instance.port,
        pid: instance.process.as_ref().map(|process| process.pid),
        attempt: instance.attempt,
        since_ms: instance.since.0,
        healthy_since_ms: instance.healthy_since.map(|at| at.0),
        spec_revision: instance.spec_revision.0,
        reason: instance.reason.clone(),
        failure: instance.failure.as_ref().map(ToString::to_string),
        last_lines: last_lines(instance.failure.as_ref()).to_vec(),
    }
}

fn last_lines(failure: Option<&Failure>) -> &[String] {
    match failure {
        Some(Failure::Exited { last_lines, .. } | Failure::NotReady { last_lines, .. }) => {
            last_lines
        }
        _ => &[],
    }
}

fn state(state: InstanceState) -> scheduling::InstanceState {
    use scheduling::InstanceState as Wire;
    match state {
        InstanceState::Pending => Wire::Pending,
        InstanceState::Scheduled => Wire::Scheduled,
        InstanceState::Starting => Wire::Starting,
        InstanceState::Healthy => Wire::Healthy,
        InstanceState::Unhealthy => Wire::Unhealthy,
        InstanceState::Stopping => Wire::Stopping,
        InstanceState::Stopped => Wire::Stopped,
        InstanceState::Failed => Wire::Failed,
        InstanceState::Lost => Wire::Lost,
    }
}

pub(crate) fn service(view: &View<'_>, spec: &ServiceSpec) -> ServiceInfo {
    let waiting = view.waiting.iter();
    let waiting = waiting.filter(|waiting| waiting.slot.service == spec.name);
    ServiceInfo {
        name: spec.name.to_string(),
        replicas: spec.replicas,
        healthy: healthy(view, spec),
        spec_revision: spec.revision.0,
        artifact: artifact(&spec.artifact),
        after: spec.after.iter().map(ToString::to_string).collect(),
        waiting: waiting
            .map(|waiting| format!("{}: {}", waiting.slot, waiting.reason))
            .collect(),
    }
}

/// Healthy instances in wanted slots that run what the spec says now.
pub(crate) fn healthy(view: &View<'_>, spec: &ServiceSpec) -> u32 {
    let instances = view.snapshot.instances_of(&spec.name);
    let as_wished = instances.filter(|instance| {
        instance.state == InstanceState::Healthy
            && instance.spec_revision == spec.revision_at(instance.id.slot.index)
            && instance.id.slot.index < spec.slots()
    });
    u32::try_from(as_wished.count()).unwrap_or(u32::MAX)
}

/// Whether a service is exactly as wished, with nothing left to end.
pub(crate) fn converged(view: &View<'_>, spec: &ServiceSpec) -> bool {
    let instances = view.snapshot.instances_of(&spec.name);
    let running = instances.filter(|instance| !instance.state.is_terminal());
    let running = u32::try_from(running.count()).unwrap_or(u32::MAX);
    running == spec.slots() && healthy(view, spec) == spec.slots()
}

pub(crate) fn artifact(artifact: &Artifact) -> String {
    match artifact {
        Artifact::Cargo {
            manifest_path,
            bin_name,
        } => format!("{bin_name} of {manifest_path}"),
        Artifact::Command { program, args } => {
            let words = std::iter::once(program).chain(args);
            words.cloned().collect::<Vec<_>>().join(" ")
        }
    }
}

pub(crate) fn event((number, event): (u64, Event)) -> EventItem {
    EventItem {
        number,
        at_ms: event.at.0,
        subject: event.subject.to_string(),
        service: service_of(&event.subject),
        kind: event.kind.to_string(),
        why: event.why,
    }
}

pub(crate) fn service_of(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Service(name) => Some(name.to_string()),
        Subject::Slot(slot) => Some(slot.service.to_string()),
        Subject::Instance(id) => Some(id.slot.service.to_string()),
        Subject::Node(_) => None,
    }
}

pub(crate) fn waiting(waiting: &Waiting) -> WaitingSlot {
    WaitingSlot {
        slot: waiting.slot.to_string(),
        reason: waiting.reason.to_string(),
        until_ms: waiting.not_before.map(|at| at.0),
    }
}
