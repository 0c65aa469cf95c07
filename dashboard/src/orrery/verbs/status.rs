//! `orrery status`: is the fleet well, and if not, what to do next.

use clap::Args;
use client::scheduling::{InstanceInfo, InstanceState, NodeInfo, ServiceInfo};
use dashboard::ago;
use rpc::Empty;
use serde::Serialize;

use super::count;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Table, Tone};
use crate::session::Session;

/// Say in a sentence how the fleet is, what needs attention, and the next step.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery status
  orrery status --check && echo well  for scripts: exit code 1 unless all is well")]
pub(crate) struct Status {
    /// Fail unless everything is as wished.
    #[arg(long)]
    check: bool,
}

/// How the fleet is.
#[derive(Debug, Serialize)]
struct Summary {
    well: bool,
    services: usize,
    wished: u64,
    healthy: u64,
    nodes: usize,
    attention: Vec<Attention>,
    revision: u64,
}

/// Something that is not as wished.
#[derive(Debug, Serialize)]
struct Attention {
    /// A service or a node.
    subject: String,
    healthy: u32,
    wished: u32,
    why: String,
    /// The command that shows more.
    next: String,
    /// It changes by itself, as far as can be told.
    under_way: bool,
}

impl Status {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let call = session.scheduling();
        let services = session.ask(call.list_services(&Empty {})).await?;
        let instances = session.instances(None, true).await?.instances;
        let nodes = session.ask(call.nodes(&Empty {})).await?.nodes;
        let now = session.now_ms();
        let mut summary = summarise(&services.services, &instances, &nodes, now);
        summary.revision = services.revision;
        session.out.one(&summary, || words(session, &summary))?;
        if let Some(first) = summary.attention.first() {
            session.out.suggest("next", &first.next);
        }
        if self.check && !summary.well {
            let what = match summary.attention.len() {
                1 => "1 thing is not as wished".to_owned(),
                several => format!("{several} things are not as wished"),
            };
            return Err(Failure::new(Exit::Failed, what));
        }
        Ok(())
    }
}

fn summarise(
    services: &[ServiceInfo],
    instances: &[InstanceInfo],
    nodes: &[NodeInfo],
    now: u64,
) -> Summary {
    let mut attention: Vec<Attention> = services
        .iter()
        .filter(|service| service.healthy != service.replicas)
        .map(|service| unwell(service, instances, now))
        .collect();
    attention.extend(
        nodes
            .iter()
            .filter(|n| n.status == "lost")
            .map(|node| Attention {
                subject: node.name.clone(),
                healthy: node.healthy,
                wished: node.instances,
                why: format!("the node is lost, since {}", ago(node.since_ms, now)),
                next: "orrery nodes".to_owned(),
                under_way: false,
            }),
    );
    attention.sort_by_key(|a| a.under_way);
    Summary {
        well: attention.is_empty(),
        services: services.len(),
        wished: services.iter().map(|s| u64::from(s.replicas)).sum(),
        healthy: services.iter().map(|s| u64::from(s.healthy)).sum(),
        nodes: nodes.len(),
        attention,
        revision: 0,
    }
}

/// Why a service is not as wished: its worst instance says it, or what its slots wait for.
fn unwell(service: &ServiceInfo, instances: &[InstanceInfo], now: u64) -> Attention {
    let mine = instances.iter().filter(|i| i.service == service.name);
    // Of each slot only the newest instance says how the slot is.
    let newest = mine.clone().filter(|i| {
        let newer =
            |other: &InstanceInfo| other.index == i.index && other.generation > i.generation;
        !mine.clone().any(newer)
    });
    let worst = newest
        .filter(|i| !matches!(i.state, InstanceState::Healthy | InstanceState::Stopped))
        .max_by_key(|i| (severity(i.state), i.since_ms));
    let why = match (worst, service.waiting.first()) {
        (Some(worst), waits) if severity(worst.state) > 1 || waits.is_none() => {
            let reason = worst.failure.as_ref().unwrap_or(&worst.reason);
            let since = ago(worst.since_ms, now);
            format!("{} {} {since}: {reason}", worst.id, worst.state)
        }
        (_, Some(waits)) => waits.clone(),
        (None | Some(_), None) => "not as wished yet".to_owned(),
    };
    let under_way = worst.is_none_or(|i| severity(i.state) < 2);
    Attention {
        subject: service.name.clone(),
        healthy: service.healthy,
        wished: service.replicas,
        why,
        next: format!("orrery explain {}", service.name),
        under_way,
    }
}

fn severity(state: InstanceState) -> u8 {
    match state {
        InstanceState::Healthy | InstanceState::Stopped => 0,
        InstanceState::Pending
        | InstanceState::Scheduled
        | InstanceState::Starting
        | InstanceState::Stopping => 1,
        InstanceState::Lost => 2,
        InstanceState::Unhealthy => 3,
        InstanceState::Failed => 4,
    }
}

fn words(session: &Session, summary: &Summary) -> String {
    let Summary {
        healthy, wished, ..
    } = summary;
    let (services, nodes) = (
        count(summary.services, "service"),
        count(summary.nodes, "node"),
    );
    let (tone, verdict) = if summary.well {
        (Tone::Good, "The fleet is well".to_owned())
    } else if summary.attention.iter().all(|a| a.under_way) {
        (Tone::Watch, "The fleet is on its way".to_owned())
    } else {
        (Tone::Bad, "The fleet needs attention".to_owned())
    };
    let style = tone.style();
    let sentence = format!(
        "{style}{verdict}{style:#}: {healthy} of {wished} instances of {services} are healthy, on \
         {nodes}.\n"
    );
    if summary.well {
        return sentence;
    }
    let mut table = Table::new(&["NEEDS ATTENTION", "HEALTHY", "WHY", "NEXT"]);
    for attention in &summary.attention {
        let tone = if attention.under_way {
            Tone::Watch
        } else {
            Tone::Bad
        };
        table.row([
            Cell::new(&attention.subject).tone(tone),
            Cell::number(format!("{}/{}", attention.healthy, attention.wished)),
            Cell::new(&attention.why),
            Cell::new(&attention.next),
        ]);
    }
    format!("{sentence}\n{}", session.out.fit(&table))
}
