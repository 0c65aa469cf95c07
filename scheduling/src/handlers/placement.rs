//! Where instances run: what a placer decides from, and what it decided.

use model::{Generation, Instance, Node, ServiceName, ServiceSpec};
use reconciliation::{Decision, Deposed};
use rpc::{Code, Error, StreamSender};
use scheduling::{
    MachineInfo, PlaceArgs, PlaceReply, Placement, PlacementsArgs, PlacementsItem, ServiceWishes,
    TaskInfo, reason,
};

use super::Handlers;
use super::errors::{instance_id, node_name, refused};
use crate::brain::{Refused, View};

/// Records in one item of the stream.
const ITEM_MAX: usize = 5_000;

pub(super) async fn place(handlers: &Handlers, args: PlaceArgs) -> Result<PlaceReply, Error> {
    let decisions = args.decisions.into_iter().map(decision);
    let decisions = decisions.collect::<Result<Vec<_>, _>>()?;
    let by = Generation(args.generation);
    let placed = handlers.brain.place(by, decisions).await.map_err(refused)?;
    let placed = placed.map_err(|e| deposed(&e))?;
    Ok(PlaceReply {
        refused: placed.verdicts.into_iter().map(why).collect(),
        revision: placed.revision,
    })
}

fn why(verdict: Result<(), reconciliation::Refusal>) -> Option<String> {
    verdict.err().map(|refusal| refusal.to_string())
}

fn decision(placement: Placement) -> Result<Decision, Error> {
    let instance = instance_id(&placement.instance)?;
    let why = placement.why;
    Ok(match placement.node {
        Some(node) => Decision::On {
            instance,
            node: node_name(&node)?,
            why,
        },
        None => Decision::Nowhere { instance, why },
    })
}

fn deposed(error: &Deposed) -> Error {
    Error::new(Code::Conflict, reason::DEPOSED, error.to_string())
        .with_hint("decide no more until `lead` says that it is your turn again")
}

pub(super) async fn placements(
    handlers: &Handlers,
    args: PlacementsArgs,
    out: StreamSender<PlacementsItem>,
) -> Result<(), Error> {
    let mut position = handlers.brain.feed().position();
    let mut known = args.from_revision;
    loop {
        position.mark_unchanged();
        let item = changes(handlers, known).await?;
        let first = known.is_none();
        known = Some(item.revision);
        if first || item.reset || !is_empty(&item) {
            send(item, &out).await?;
        }
        tokio::select! {
            changed = position.changed() => changed.map_err(|_| refused(Refused::Gone))?,
            () = out.closed() => return Ok(()),
        }
    }
}

fn is_empty(item: &PlacementsItem) -> bool {
    let bare = PlacementsItem {
        revision: item.revision,
        ..PlacementsItem::default()
    };
    *item == bare
}

/// In pieces that fit into a frame; only instances are many.
async fn send(mut item: PlacementsItem, out: &StreamSender<PlacementsItem>) -> Result<(), Error> {
    let mut rest = std::mem::take(&mut item.tasks);
    loop {
        let more = rest.split_off(rest.len().min(ITEM_MAX));
        item.tasks = std::mem::replace(&mut rest, more);
        item.whole = rest.is_empty();
        out.send(&item).await?;
        if item.whole {
            return Ok(());
        }
        item = PlacementsItem {
            revision: item.revision,
            ..PlacementsItem::default()
        };
    }
}

async fn changes(handlers: &Handlers, known: Option<u64>) -> Result<PlacementsItem, Error> {
    let feed = handlers.brain.feed().clone();
    let looked = handlers.brain.read(move |view| {
        let touched = known.and_then(|revision| feed.touched_after(revision));
        let mut item = PlacementsItem {
            revision: view.snapshot.revision.0,
            ..PlacementsItem::default()
        };
        let Some(touched) = touched else {
            item.reset = true;
            let snapshot = view.snapshot;
            item.machines = snapshot.nodes.values().map(machine).collect();
            item.services = snapshot.specs.values().map(wishes).collect();
            item.tasks = snapshot.instances.values().filter_map(task(view)).collect();
            return item;
        };
        for name in &touched.nodes {
            match view.snapshot.nodes.get(name) {
                Some(node) => item.machines.push(machine(node)),
                None => item.machines_gone.push(name.to_string()),
            }
        }
        for name in &touched.specs {
            service(view, name, &mut item);
        }
        for id in &touched.instances {
            let instance = view.snapshot.instances.get(id);
            match instance.and_then(task(view)) {
                Some(task) => item.tasks.push(task),
                None => item.tasks_gone.push(id.to_string()),
            }
        }
        item
    });
    looked.await.map_err(refused)
}

fn service(view: &View<'_>, name: &ServiceName, item: &mut PlacementsItem) {
    match view.snapshot.specs.get(name) {
        Some(spec) => item.services.push(wishes(spec)),
        None => item.services_gone.push(name.to_string()),
    }
}

fn machine(node: &Node) -> MachineInfo {
    MachineInfo {
        name: node.id.to_string(),
        status: node.as_str().to_owned(),
        facts: node.facts.clone().into(),
    }
}

fn wishes(spec: &ServiceSpec) -> ServiceWishes {
    ServiceWishes {
        service: spec.name.to_string(),
        node: spec.node.as_ref().map(ToString::to_string),
        replicas: spec.replicas,
        wishes: serde_json::to_string(&spec.wishes()).unwrap_or_default(),
    }
}

/// What a placer is told of an instance: nothing of one that has ended, or whose node is decided on
/// here.
fn task(view: &View<'_>) -> impl Fn(&Instance) -> Option<TaskInfo> {
    let asked = |instance: &Instance| {
        let spec = view.snapshot.specs.get(&instance.id.slot.service);
        spec.is_some_and(|spec| view.snapshot.asks_placer(spec))
    };
    move |instance| {
        let is_there = !instance.state.is_terminal();
        let counts = is_there && (instance.node.is_some() || asked(instance));
        counts.then(|| TaskInfo {
            instance: instance.id.to_string(),
            node: instance.node.as_ref().map(ToString::to_string),
            since_ms: instance.since.0,
        })
    }
}
