//! Agents: what they are to do, and what they saw.

use std::collections::BTreeMap;

use chassis::trust::{Kind, holder};
use reconciliation::{Assignments, Report};
use rpc::{Code, Context, Error, StreamSender};
use scheduling::{
    AssignmentsArgs, AssignmentsItem, InstanceTokensArgs, InstanceTokensReply, ReportArgs,
    ReportReply, reason,
};

use super::Handlers;
use super::errors::{instance_id, node_name, refused};
use crate::brain::Refused;

/// Assignments in one item of the stream.
const ITEM_MAX: usize = 500;

pub(super) async fn assignments(
    handlers: &Handlers,
    args: AssignmentsArgs,
    out: StreamSender<AssignmentsItem>,
) -> Result<(), Error> {
    let node = node_name(&args.node)?;
    if node == handlers.local {
        let message = format!("node {node} is the machine scheduling runs on, and has its agent");
        return Err(Error::invalid(reason::INVALID_NAME, message)
            .with_hint("give this agent another name with `--node`"));
    }
    let brain = &handlers.brain;
    let connected = handlers.heard.connect(brain, node.clone()).await;
    let connected = connected.map_err(refused)?;
    let mut assigned = brain.subscribe(node).await.map_err(refused)?;
    let mut told: Option<BTreeMap<String, String>> = None;
    loop {
        let current = assigned.borrow_and_update().clone();
        if let Some(current) = current {
            tell(&mut told, &current, &out).await?;
        }
        tokio::select! {
            changed = assigned.changed() => changed.map_err(|_| refused(Refused::Gone))?,
            () = out.closed() => return Ok(()),
            why = connected.lost() => {
                return Err(Error::new(Code::Unavailable, reason::NODE_SILENT, why));
            }
        }
    }
}

/// Sends what is not as it was told.
async fn tell(
    told: &mut Option<BTreeMap<String, String>>,
    current: &Assignments,
    out: &StreamSender<AssignmentsItem>,
) -> Result<(), Error> {
    let mut reset = told.is_none();
    let before = told.take().unwrap_or_default();
    let mut now = BTreeMap::new();
    let mut put = Vec::new();
    for item in &current.items {
        let id = item.instance.id.to_string();
        let text = serde_json::to_string(item)
            .map_err(|e| Error::internal(reason::INVALID_REPORT, e.to_string()))?;
        if before.get(&id) != Some(&text) {
            put.push(text.clone());
        }
        now.insert(id, text);
    }
    let gone = before.keys().filter(|id| !now.contains_key(*id));
    let mut gone: Vec<String> = gone.cloned().collect();
    let mut pieces: Vec<Vec<String>> = put.chunks(ITEM_MAX).map(<[_]>::to_vec).collect();
    if pieces.is_empty() {
        pieces.push(Vec::new());
    }
    let last = pieces.len() - 1;
    for (index, put) in pieces.into_iter().enumerate() {
        let item = AssignmentsItem {
            revision: current.revision.0,
            reset: std::mem::take(&mut reset),
            whole: index == last,
            put,
            gone: std::mem::take(&mut gone),
        };
        out.send(&item).await?;
    }
    *told = Some(now);
    Ok(())
}

pub(super) async fn report(handlers: &Handlers, args: ReportArgs) -> Result<ReportReply, Error> {
    let node = node_name(&args.node)?;
    let mut reports = Vec::with_capacity(args.reports.len());
    for text in &args.reports {
        let report: Report = serde_json::from_str(text).map_err(|e| {
            Error::invalid(
                reason::INVALID_REPORT,
                format!("failed to read a report: {e}"),
            )
            .with_hint("agent and scheduling are of different versions; install the same one")
        })?;
        if report.node != node {
            let message = format!("node {node} reports for node {}", report.node);
            return Err(Error::invalid(reason::INVALID_REPORT, message)
                .with_hint("an agent speaks for its own node only"));
        }
        reports.push(report);
    }
    handlers.heard.of(&node);
    let done = handlers.brain.report(reports).await.map_err(refused)?;
    let (revision, ignored) = done;
    Ok(ReportReply { revision, ignored })
}

/// Signs for the instances of one other machine. Not for an instance that asks, whatever it may do
/// here: it would get to speak as others.
pub(super) async fn instance_tokens(
    handlers: &Handlers,
    context: &Context,
    args: InstanceTokensArgs,
) -> Result<InstanceTokensReply, Error> {
    let node = node_name(&args.node)?;
    let asks = holder(context);
    let is_instance = asks.is_some_and(|holder| matches!(holder.kind, Kind::Instance { .. }));
    if is_instance || node == handlers.local {
        let message = format!("tokens of instances on node {node} are for its agent");
        return Err(
            Error::new(Code::PermissionDenied, reason::NOT_ITS_AGENT, message)
                .with_hint("an agent joins with a token that somebody made for it"),
        );
    }
    let ids = args.instances.iter().map(|id| instance_id(id));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    let Some(signer) = &handlers.signer else {
        return Ok(InstanceTokensReply {
            fleet_key: String::new(),
            lifetime_ms: 0,
            tokens: Vec::new(),
        });
    };
    let wanted = ids.clone();
    let strange = handlers.brain.read(move |view| {
        let is_there = |id: &model::InstanceId| {
            let instance = view.snapshot.instances.get(id);
            instance.is_some_and(|i| i.node.as_ref() == Some(&node) && !i.state.is_terminal())
        };
        wanted.into_iter().find(|id| !is_there(id))
    });
    if let Some(id) = strange.await.map_err(refused)? {
        let message = format!("{id} does not run on node {}", args.node);
        return Err(
            Error::new(Code::Conflict, reason::UNKNOWN_INSTANCE, message)
                .with_hint("an agent gets tokens for the instances that its node was given"),
        );
    }
    let tokens = ids.iter().map(|id| signer.sign_instance(id));
    let tokens = tokens.collect::<std::io::Result<Vec<_>>>();
    Ok(InstanceTokensReply {
        fleet_key: signer.public_key(),
        lifetime_ms: u64::try_from(signer.lifetime().as_millis()).unwrap_or(u64::MAX),
        tokens: tokens.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?,
    })
}
