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
    let mut table = Table::new(&["NODE", "STATUS", "SINCE", "HEALTHY", "INSTANCES", "LIMITS"]);
    for node in nodes {
        let tone = match node.status.as_str() {
            "ready" => Tone::Good,
            "cordoned" => Tone::Watch,
            _ => Tone::Bad,
        };
        let here = if node.local { " (scheduling)" } else { "" };
        table.row([
            Cell::new(format!("{}{here}", node.name)),
            Cell::new(&node.status).tone(tone),
            Cell::new(ago(node.since_ms, now)),
            Cell::number(node.healthy),
            Cell::number(node.instances),
            Cell::new(&node.limits),
        ]);
    }
    table
}
