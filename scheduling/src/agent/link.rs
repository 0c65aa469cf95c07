//! The agent of another machine: assignments come over the network, reports go back.
//!
//! The agent dials; scheduling never does. While scheduling cannot be reached everything that runs
//! goes on running, guarded as before; what was seen meanwhile is told when it can be reached.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{InstanceId, NodeFacts, NodeId, Revision};
use reconciliation::{Assignment, Assignments, Report};
use rpc::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::Credentials;
use crate::{
    AssignmentsArgs, AssignmentsItem, DescribeNodeArgs, ReportArgs, SchedulingClient, reason,
};

/// Pause between attempts to reach scheduling.
const REACH_AGAIN: Duration = Duration::from_millis(500);

/// An agent says something at least this often.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How instances get their tokens; asks until scheduling answers. `None` in a fleet without tokens.
pub async fn credentials(
    client: &SchedulingClient,
    node: &NodeId,
    folder: &Path,
) -> Option<Credentials> {
    loop {
        match Credentials::from_scheduling(client.clone(), node.clone(), folder).await {
            Ok(credentials) => return credentials,
            Err(error) => {
                tracing::warn!(%error, "scheduling does not say how this fleet is guarded");
            }
        }
        sleep(REACH_AGAIN).await;
    }
}

/// Keeps the assignments up to date for as long as somebody wants them.
pub async fn pull(
    client: SchedulingClient,
    node: NodeId,
    facts: NodeFacts,
    assignments: watch::Sender<Option<Arc<Assignments>>>,
) {
    let args = AssignmentsArgs {
        node: node.to_string(),
    };
    let about = DescribeNodeArgs {
        node: node.to_string(),
        facts: facts.into(),
    };
    while !assignments.is_closed() {
        if let Err(error) = follow(&client, &args, &about, &assignments).await {
            tracing::warn!(%error, "scheduling cannot be reached; what runs goes on running");
        }
        sleep(REACH_AGAIN).await;
    }
}

async fn follow(
    client: &SchedulingClient,
    args: &AssignmentsArgs,
    about: &DescribeNodeArgs,
    assignments: &watch::Sender<Option<Arc<Assignments>>>,
) -> Result<(), Error> {
    let mut stream = client.assignments(args).await?;
    tracing::info!(node = args.node, "connected to scheduling");
    let mut known = BTreeMap::new();
    // The stream made the node known; until it has said what it is, nobody knows what fits there.
    client.describe_node(about).await?;
    while let Some(item) = stream.next().await {
        let item = item?;
        if let Some(whole) = take(&mut known, item)? {
            assignments.send_replace(Some(Arc::new(whole)));
        }
    }
    Ok(())
}

/// Takes one item of the stream; the assignments when they are whole.
fn take(
    known: &mut BTreeMap<InstanceId, Assignment>,
    item: AssignmentsItem,
) -> Result<Option<Assignments>, Error> {
    if item.reset {
        known.clear();
    }
    for gone in &item.gone {
        let id = gone.parse::<InstanceId>();
        known.remove(&id.map_err(|e| unreadable(&e))?);
    }
    for text in &item.put {
        let assignment: Assignment = serde_json::from_str(text).map_err(|e| unreadable(&e))?;
        known.insert(assignment.instance.id.clone(), assignment);
    }
    Ok(item.whole.then(|| Assignments {
        revision: Revision(item.revision),
        items: known.values().cloned().collect(),
    }))
}

fn unreadable(error: &dyn std::error::Error) -> Error {
    let message = format!("failed to read an assignment: {error}");
    Error::invalid(reason::INVALID_REPORT, message)
        .with_hint("agent and scheduling are of different versions; install the same one")
}

/// Passes reports on, and says that the node lives when there is nothing to report. One that cannot
/// be delivered is dropped: the agent says again whatever has not been understood.
pub async fn push(
    client: SchedulingClient,
    node: NodeId,
    mut reports: mpsc::Receiver<Vec<Report>>,
) {
    loop {
        let batch = match timeout(HEARTBEAT, reports.recv()).await {
            Ok(Some(batch)) => batch,
            Ok(None) => return,
            Err(_) => Vec::new(),
        };
        let texts = batch.iter().map(serde_json::to_string);
        let texts = match texts.collect::<Result<Vec<_>, _>>() {
            Ok(texts) => texts,
            Err(error) => {
                tracing::warn!(%error, "a report cannot be written");
                continue;
            }
        };
        let args = ReportArgs {
            node: node.to_string(),
            reports: texts,
        };
        match client.report(&args).await {
            Ok(reply) => {
                for why in reply.ignored {
                    tracing::debug!(why, "a report changed nothing");
                }
            }
            Err(error) => tracing::debug!(%error, "a report did not arrive"),
        }
    }
}
