//! Why things are as they are.

use model::{Failure, Instance, InstanceId, InstanceState, ServiceName, Slot};
use rpc::Error;
use scheduling::{EventItem, ExplainArgs, ExplainReply};

use super::errors::{refused, unknown_instance, unknown_service};
use super::logs::{Target, target};
use super::{Handlers, render};
use crate::brain::{Feed, View};

/// Events that go with an explanation.
const EVENTS_SHOWN: usize = 10;

pub(super) async fn explain(handlers: &Handlers, args: ExplainArgs) -> Result<ExplainReply, Error> {
    let target = target(&args.target)?;
    let feed = handlers.brain.feed().clone();
    let explained = handlers.brain.read(move |view| match &target {
        Target::Service(name) => service(view, &feed, name),
        Target::Slot(wanted) => slot(view, &feed, wanted),
        Target::Instance(id) => instance(view, &feed, id),
    });
    explained.await.map_err(refused)?
}

fn service(view: &View<'_>, feed: &Feed, name: &ServiceName) -> Result<ExplainReply, Error> {
    let spec = view.snapshot.specs.get(name);
    let spec = spec.ok_or_else(|| unknown_service(name))?;
    let info = render::service(view, spec);
    let state = format!("{} of {} healthy", info.healthy, info.replicas);
    let mut because = info.waiting;
    let unwell = view.snapshot.instances_of(name).filter(|instance| {
        !instance.state.is_terminal() && instance.state != InstanceState::Healthy
    });
    because.extend(unwell.map(sentence));
    let next = if because.is_empty() {
        because.push("every replica is as wished".to_owned());
        Vec::new()
    } else {
        vec![
            format!("orrery events --service {name}"),
            format!("orrery logs {name}"),
        ]
    };
    let prefix = format!("{name}.");
    let about = |subject: &str| subject == name.as_str() || subject.starts_with(&prefix);
    Ok(reply(
        view,
        feed,
        name.to_string(),
        state,
        (because, next),
        about,
    ))
}

fn slot(view: &View<'_>, feed: &Feed, slot: &Slot) -> Result<ExplainReply, Error> {
    let spec = view.snapshot.specs.get(&slot.service);
    let spec = spec.ok_or_else(|| unknown_service(&slot.service))?;
    if let Some(owner) = view.snapshot.owner(slot) {
        return instance(view, feed, &owner.id.clone());
    }
    let waiting = view.waiting.iter().find(|waiting| waiting.slot == *slot);
    let (state, because) = match waiting {
        Some(waiting) => ("waiting", waiting.reason.to_string()),
        None if slot.index >= spec.slots() => {
            let because = format!("{} has {} replicas", spec.name, spec.replicas);
            ("not wished for", because)
        }
        None => ("empty", "it is about to be filled".to_owned()),
    };
    let given_up = view
        .snapshot
        .slots
        .get(slot)
        .and_then(|s| s.given_up.as_ref());
    let next = match given_up {
        Some(_) => vec![format!("orrery restart {}", slot.service)],
        None => Vec::new(),
    };
    let name = slot.to_string();
    let prefix = format!("{name}.");
    let about = |subject: &str| subject == name || subject.starts_with(&prefix);
    let said = (vec![because], next);
    Ok(reply(
        view,
        feed,
        name.clone(),
        state.to_owned(),
        said,
        about,
    ))
}

fn instance(view: &View<'_>, feed: &Feed, id: &InstanceId) -> Result<ExplainReply, Error> {
    let found = view.snapshot.instances.get(id);
    let found = found.ok_or_else(|| unknown_instance(id))?;
    let mut because = vec![sentence(found)];
    if found.attempt > 1 {
        because.push(format!(
            "start {} in a row without a healthy period",
            found.attempt
        ));
    }
    if let (Some(node), port) = (&found.node, found.port) {
        let port = port.map_or_else(|| "no port".to_owned(), |port| format!("port {port}"));
        because.push(format!("it was given node {node} and {port}"));
    }
    let waiting = view.waiting.iter().filter(|w| w.slot == id.slot);
    because.extend(waiting.map(|waiting| waiting.reason.to_string()));
    let next = advice(found);
    let name = id.to_string();
    let state = found.state.to_string();
    let about = |subject: &str| subject == name;
    Ok(reply(
        view,
        feed,
        name.clone(),
        state,
        (because, next),
        about,
    ))
}

fn sentence(instance: &Instance) -> String {
    format!("{} is {}: {}", instance.id, instance.state, instance.reason)
}

fn advice(instance: &Instance) -> Vec<String> {
    match &instance.failure {
        Some(Failure::PortTaken { port, owner }) => {
            vec![format!(
                "end {owner}, or give the service another port than {port}"
            )]
        }
        Some(_) => vec![format!("orrery logs {}", instance.id)],
        None if instance.state == InstanceState::Starting => {
            vec![format!("orrery logs -f {}", instance.id)]
        }
        None => Vec::new(),
    }
}

fn reply(
    view: &View<'_>,
    feed: &Feed,
    subject: String,
    state: String,
    (because, next): (Vec<String>, Vec<String>),
    about: impl Fn(&str) -> bool,
) -> ExplainReply {
    let events = feed.events_after(0, EVENTS_SHOWN, |e| about(&e.subject.to_string()));
    let events: Vec<EventItem> = events.into_iter().map(render::event).collect();
    ExplainReply {
        subject,
        state,
        because,
        next,
        events,
        revision: view.snapshot.revision.0,
    }
}
