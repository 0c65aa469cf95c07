//! Streams of state and of events.

use model::ServiceName;
use reconciliation::{Event, Subject};
use rpc::{Error, StreamSender};
use scheduling::{EventItem, EventsArgs, WatchArgs, WatchItem};

use super::errors::{instance_id, refused, service_name};
use super::{Handlers, render};
use crate::brain::{Refused, View};

/// Events sent without looking for new ones in between.
const EVENTS_AT_ONCE: usize = 1_000;

pub(super) async fn watch(
    handlers: &Handlers,
    args: WatchArgs,
    out: StreamSender<WatchItem>,
) -> Result<(), Error> {
    let service = args.service.as_deref().map(service_name).transpose()?;
    let mut position = handlers.brain.feed().position();
    let mut known = args.from_revision;
    loop {
        position.mark_unchanged();
        let item = changes(handlers, known, service.clone()).await?;
        let first = known.is_none();
        known = Some(item.revision);
        if first || item.reset || !is_empty(&item) {
            out.send(&item).await?;
        }
        tokio::select! {
            changed = position.changed() => {
                changed.map_err(|_| refused(Refused::Gone))?;
            }
            () = out.closed() => return Ok(()),
        }
    }
}

fn is_empty(item: &WatchItem) -> bool {
    item.services.is_empty()
        && item.instances.is_empty()
        && item.services_gone.is_empty()
        && item.instances_gone.is_empty()
}

/// The records touched since `known`, as they are now; all records when that is too long ago.
async fn changes(
    handlers: &Handlers,
    known: Option<u64>,
    only: Option<ServiceName>,
) -> Result<WatchItem, Error> {
    let feed = handlers.brain.feed().clone();
    let looked = handlers.brain.read(move |view| {
        let touched = known.and_then(|revision| feed.touched_after(revision));
        let Some(touched) = touched else {
            return whole(view, only.as_ref());
        };
        let wanted = |name: &ServiceName| only.as_ref().is_none_or(|only| only == name);
        let mut item = empty(view, false);
        for name in touched.services.iter().filter(|name| wanted(name)) {
            match view.snapshot.specs.get(name) {
                Some(spec) => item.services.push(render::service(view, spec)),
                None => item.services_gone.push(name.to_string()),
            }
        }
        for id in touched
            .instances
            .iter()
            .filter(|id| wanted(&id.slot.service))
        {
            match view.snapshot.instances.get(id) {
                Some(instance) => item
                    .instances
                    .push(render::instance(view.snapshot, instance)),
                None => item.instances_gone.push(id.to_string()),
            }
        }
        item
    });
    looked.await.map_err(refused)
}

fn whole(view: &View<'_>, only: Option<&ServiceName>) -> WatchItem {
    let wanted = |name: &ServiceName| only.is_none_or(|only| only == name);
    let mut item = empty(view, true);
    let specs = view
        .snapshot
        .specs
        .values()
        .filter(|spec| wanted(&spec.name));
    item.services = specs.map(|spec| render::service(view, spec)).collect();
    let instances = view.snapshot.instances.values();
    let instances = instances.filter(|instance| wanted(&instance.id.slot.service));
    item.instances = instances
        .map(|i| render::instance(view.snapshot, i))
        .collect();
    item
}

fn empty(view: &View<'_>, reset: bool) -> WatchItem {
    WatchItem {
        revision: view.snapshot.revision.0,
        reset,
        services: Vec::new(),
        instances: Vec::new(),
        services_gone: Vec::new(),
        instances_gone: Vec::new(),
    }
}

pub(super) async fn events(
    handlers: &Handlers,
    args: EventsArgs,
    out: StreamSender<EventItem>,
) -> Result<(), Error> {
    let service = args.service.as_deref().map(service_name).transpose()?;
    let instance = args.instance.as_deref().map(instance_id).transpose()?;
    let wanted = |event: &Event| {
        let of_service = service.as_ref().is_none_or(|name| {
            render::service_of(&event.subject).is_some_and(|of| of == name.as_str())
        });
        let of_instance = instance
            .as_ref()
            .is_none_or(|id| matches!(&event.subject, Subject::Instance(of) if of == id));
        of_service && of_instance
    };
    let feed = handlers.brain.feed();
    let mut position = feed.position();
    let newest = position.borrow_and_update().event;
    let limit = match (args.tail, args.after) {
        (0, Some(_)) => usize::MAX,
        (tail, _) => tail as usize,
    };
    let mut after = newest.max(args.after.unwrap_or_default());
    for (number, event) in feed.events_after(args.after.unwrap_or_default(), limit, wanted) {
        after = after.max(number);
        out.send(&render::event((number, event))).await?;
    }
    if !args.follow {
        return Ok(());
    }
    loop {
        for (number, event) in feed.events_after(after, EVENTS_AT_ONCE, wanted) {
            after = number;
            out.send(&render::event((number, event))).await?;
        }
        tokio::select! {
            changed = position.changed() => {
                changed.map_err(|_| refused(Refused::Gone))?;
            }
            () = out.closed() => return Ok(()),
        }
    }
}
