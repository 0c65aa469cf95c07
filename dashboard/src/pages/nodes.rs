//! Machines: what they have, what they carry, what they are used for.

use axum::response::Response;
use client::scheduling::NodeInfo;
use maud::{Markup, html};
use rpc::Empty;

use super::{Asked, Page, Problem, button, count, dangerous, moment, path};
use crate::sessions::Session;

pub(crate) async fn show(asked: Asked) -> Response {
    let mut nodes = match list(&asked.session).await {
        Ok(nodes) => nodes,
        Err(error) => return Problem::from(error).response(&asked.session),
    };
    nodes.retain(|node| node.name.contains(&asked.filter) || node.status == asked.filter);
    let main = html! {
        h1 { (count(nodes.len(), "node")) }
        table {
            thead {
                tr {
                    th { "Node" } th { "Status" } th { "Since" } th.number { "Instances" }
                    th { "Has" } th { "Is" } th { "" }
                }
            }
            tbody #nodes { @for node in &nodes { (row(&asked.session, node)) } }
        }
    };
    Page::new("Nodes", "orrery nodes", &nodes, main)
        .filtered()
        .polled()
        .response(&asked)
}

async fn list(session: &Session) -> Result<Vec<NodeInfo>, rpc::Error> {
    let fleet = session.look.fleet().await?;
    Ok(fleet.scheduling().nodes(&Empty {}).await?.nodes)
}

fn row(session: &Session, node: &NodeInfo) -> Markup {
    html! {
        tr id={ "n-" (node.name) } {
            td { (node.name) @if node.local { " (this one)" } }
            td { (status(&node.status)) }
            td { (moment(node.since_ms)) }
            td.number { (node.healthy) "/" (node.instances) }
            td { (resources(node)) }
            td { (labels(node)) }
            td { @if session.may("scheduling", "set_duty", true) { (duties(session, node)) } }
        }
    }
}

fn duties(session: &Session, node: &NodeInfo) -> Markup {
    let duty = |duty: &str| path(&["nodes", &node.name, duty]);
    html! {
        @if node.status == "ready" {
            (button(session, &duty("cordoned"), "Cordon"))
            (dangerous(session, &duty("draining"), "Drain", &node.name))
        } @else {
            (button(session, &duty("open"), "Open"))
        }
    }
}

fn status(status: &str) -> Markup {
    let (tone, shape) = match status {
        "ready" => ("good", "●"),
        "cordoned" | "draining" => ("watch", "▲"),
        _ => ("bad", "✖"),
    };
    html! { span.(tone) { span aria-hidden="true" { (shape) } " " (status) } }
}

fn resources(node: &NodeInfo) -> String {
    let amount = |(name, amount): (&String, &u64)| match name.as_str() {
        "cpu_millicores" => format!("{} cores", amount / 1_000),
        "memory_bytes" => format!("{} GiB", amount >> 30),
        "disk_bytes" => format!("{} GiB disk", amount >> 30),
        other => format!("{amount} {other}"),
    };
    let all: Vec<String> = node.facts.resources.iter().map(amount).collect();
    all.join(", ")
}

fn labels(node: &NodeInfo) -> String {
    let facts = &node.facts;
    let places = [("zone", &facts.zone), ("region", &facts.region)];
    let places = places.into_iter().filter(|(_, value)| !value.is_empty());
    let places = places.map(|(name, value)| format!("{name}={value}"));
    let labels = facts
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let taints = facts
        .taints
        .iter()
        .map(|(name, value)| format!("taint {name}={value}"));
    places
        .chain(labels)
        .chain(taints)
        .collect::<Vec<_>>()
        .join(" ")
}
