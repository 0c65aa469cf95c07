//! Machines.

use model::{Duty, InstanceState};
use reconciliation::Command;
use rpc::Error;
use scheduling::{
    DescribeNodeArgs, DescribeNodeReply, NodeInfo, NodesReply, RemoveNodeArgs, RemoveNodeReply,
    SetDutyArgs, SetDutyReply, reason,
};

use super::Handlers;
use super::errors::{node_name, refused};

pub(super) async fn nodes(handlers: &Handlers) -> Result<NodesReply, Error> {
    let (local, limits) = (handlers.local.clone(), handlers.limits.clone());
    let found = handlers.brain.read(move |view| {
        let instances = view.snapshot.instances.values();
        let instances: Vec<_> = instances.filter(|i| !i.state.is_terminal()).collect();
        let nodes = view.snapshot.nodes.values().map(|node| {
            let here = instances
                .iter()
                .filter(|i| i.node.as_ref() == Some(&node.id));
            let healthy = here.clone().filter(|i| i.state == InstanceState::Healthy);
            let is_local = node.id == local;
            NodeInfo {
                name: node.id.to_string(),
                status: node.as_str().to_owned(),
                since_ms: node.since.0,
                healthy: u32::try_from(healthy.count()).unwrap_or(u32::MAX),
                instances: u32::try_from(here.count()).unwrap_or(u32::MAX),
                local: is_local,
                limits: if is_local {
                    limits.clone()
                } else {
                    String::new()
                },
                facts: node.facts.clone().into(),
            }
        });
        NodesReply {
            nodes: nodes.collect(),
            revision: view.snapshot.revision.0,
        }
    });
    found.await.map_err(refused)
}

pub(super) async fn describe(
    handlers: &Handlers,
    args: DescribeNodeArgs,
) -> Result<DescribeNodeReply, Error> {
    let node = node_name(&args.node)?;
    let facts = Box::new(args.facts.into());
    let described = Command::DescribeNode { node, facts };
    let done = handlers.brain.command(described).await.map_err(refused)?;
    let revision = done.revision;
    Ok(DescribeNodeReply { revision })
}

pub(super) async fn set_duty(
    handlers: &Handlers,
    args: SetDutyArgs,
) -> Result<SetDutyReply, Error> {
    let node = node_name(&args.node)?;
    let duty = match args.duty.as_str() {
        "open" => Duty::Open,
        "cordoned" => Duty::Cordoned,
        "draining" => Duty::Draining,
        other => {
            let message = format!("{other:?} is no duty");
            return Err(Error::invalid(reason::INVALID_DUTY, message)
                .with_hint("say `open`, `cordoned` or `draining`"));
        }
    };
    let command = Command::SetDuty {
        node: node.clone(),
        duty,
    };
    let done = handlers.brain.command(command).await.map_err(refused)?;
    let instances = handlers.brain.read(move |view| {
        let all = view.snapshot.instances.values();
        let here = all.filter(|i| i.node.as_ref() == Some(&node) && !i.state.is_terminal());
        u32::try_from(here.count()).unwrap_or(u32::MAX)
    });
    Ok(SetDutyReply {
        changed: done.changed,
        instances: instances.await.map_err(refused)?,
        revision: done.revision,
    })
}

pub(super) async fn remove(
    handlers: &Handlers,
    args: RemoveNodeArgs,
) -> Result<RemoveNodeReply, Error> {
    let node = node_name(&args.node)?;
    let command = Command::RemoveNode { node };
    let done = handlers.brain.command(command).await.map_err(refused)?;
    let revision = done.revision;
    Ok(RemoveNodeReply { revision })
}
