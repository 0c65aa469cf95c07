//! `orrery nodes`: the machines.

use clap::Args;
use client::scheduling::NodeInfo;
use dashboard::ago;
use rpc::Empty;

use crate::failure::Failure;
use crate::output::{Cell, Table, Tone};
use crate::session::Session;

/// List the machines and what they carry.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery nodes
  orrery nodes -o jsonl | jq -r 'select(.status != \"ready\") | .name'")]
pub(crate) struct Nodes {}

impl Nodes {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let call = session.scheduling();
        let nodes = session.ask(call.nodes(&Empty {})).await?.nodes;
        let now = session.now_ms();
        session.out.list(&nodes, || table(&nodes, now))
    }
}

fn table(nodes: &[NodeInfo], now: u64) -> Table {
    let mut table = Table::new(&[
        "NODE",
        "STATUS",
        "SINCE",
        "ZONE",
        "CORES",
        "MEMORY",
        "HEALTHY",
        "INSTANCES",
        "LIMITS",
    ]);
    for node in nodes {
        let tone = match node.status.as_str() {
            "ready" => Tone::Good,
            "cordoned" | "draining" => Tone::Watch,
            _ => Tone::Bad,
        };
        let here = if node.local { " (scheduling)" } else { "" };
        table.row([
            Cell::new(format!("{}{here}", node.name)),
            Cell::new(&node.status).tone(tone),
            Cell::new(ago(node.since_ms, now)),
            Cell::new(&node.facts.zone),
            Cell::number(resource(node, "cpu_millicores", cores)),
            Cell::number(resource(node, "memory_bytes", gibibytes)),
            Cell::number(node.healthy),
            Cell::number(node.instances),
            Cell::new(&node.limits),
        ]);
    }
    table
}

/// How much of something a machine has; empty where it does not say.
fn resource(node: &NodeInfo, name: &str, show: impl Fn(u64) -> String) -> String {
    let amount = node.facts.resources.get(name);
    amount.map_or_else(String::new, |amount| show(*amount))
}

fn cores(millicores: u64) -> String {
    let (whole, rest) = (millicores / 1_000, millicores % 1_000 / 100);
    if rest == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{rest}")
    }
}

fn gibibytes(bytes: u64) -> String {
    format!("{} GiB", bytes >> 30)
}
