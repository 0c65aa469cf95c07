//! Agents: what they are to do, and what they saw.

use std::collections::BTreeMap;

use model::{NodeId, NodeStatus};
use reconciliation::{Assignments, Command, Report};
use rpc::{Error, StreamSender};
use scheduling::{AssignmentsArgs, AssignmentsItem, ReportArgs, ReportReply, reason};

use super::Handlers;
use super::errors::{node_name, refused};
use crate::brain::{Handle, Refused};

/// Assignments in one item of the stream.
const ITEM_MAX: usize = 500;

/// Takes note of a node for as long as its agent holds its stream open.
struct Connected {
    brain: Handle,
    node: NodeId,
}

impl Connected {
    async fn new(brain: &Handle, node: NodeId) -> Result<Self, Refused> {
        let status = NodeStatus::Ready;
        let command = Command::SetNode {
            node: node.clone(),
            status,
        };
        brain.command(command).await?;
        let brain = brain.clone();
        Ok(Self { brain, node })
    }
}

impl Drop for Connected {
    /// What runs there goes on running, as far as anybody knows; nothing new is sent there.
    fn drop(&mut self) {
        let (brain, node) = (self.brain.clone(), self.node.clone());
        let status = NodeStatus::Away;
        tokio::spawn(async move { brain.command(Command::SetNode { node, status }).await });
    }
}

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
    let connected = Connected::new(brain, node.clone()).await;
    let _connected = connected.map_err(refused)?;
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
    let done = handlers.brain.report(reports).await.map_err(refused)?;
    let (revision, ignored) = done;
    Ok(ReportReply { revision, ignored })
}
