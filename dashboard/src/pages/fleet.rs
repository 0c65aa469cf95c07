//! The fleet at a glance: a sentence, what needs attention, and the services.

use axum::response::Response;
use client::scheduling::{NodeInfo, ServiceInfo};
use maud::{Markup, html};
use rpc::Empty;
use serde_json::json;

use super::{Asked, Page, path};
use crate::sessions::Session;
use crate::view::View;

pub(crate) async fn show(asked: Asked) -> Response {
    let view = asked.session.look.told().await;
    // Who may not see machines, and who cannot be told, still sees the rest.
    let nodes = nodes(&asked.session).await.unwrap_or_default();
    let services: Vec<&ServiceInfo> = view
        .services()
        .filter(|service| service.name.contains(&asked.filter))
        .collect();
    let main = html! {
        h1 #sentence { (sentence(&view)) }
        (attention(&view, &nodes))
        (table(&services))
    };
    let data = json!({ "services": services, "nodes": nodes, "revision": view.revision() });
    let (healthy, wished) = sums(&view);
    let title = if view.lost().is_some() {
        "scheduling is away".to_owned()
    } else {
        format!("{healthy}/{wished}")
    };
    Page::new(&title, "orrery status", &data, main)
        .filtered()
        .response(&asked)
}

async fn nodes(session: &Session) -> Result<Vec<NodeInfo>, rpc::Error> {
    let fleet = session.look.fleet().await?;
    Ok(fleet.scheduling().nodes(&Empty {}).await?.nodes)
}

fn sums(view: &View) -> (u64, u64) {
    let healthy = view.services().map(|s| u64::from(s.healthy)).sum();
    let wished = view.services().map(|s| u64::from(s.replicas)).sum();
    (healthy, wished)
}

fn sentence(view: &View) -> String {
    if !view.is_told() {
        return "Nothing is known of the fleet yet.".to_owned();
    }
    let (healthy, wished) = sums(view);
    let services = view.services().len();
    if wished == 0 {
        return "Nothing is wished for: `orrery apply FILE` is the first step.".to_owned();
    }
    format!("{healthy} of {wished} instances of {services} services are healthy.")
}

/// What an operator would look at first, with where to go.
fn attention(view: &View, nodes: &[NodeInfo]) -> Markup {
    let ill: Vec<&ServiceInfo> = view
        .services()
        .filter(|service| service.healthy < service.replicas)
        .collect();
    let away: Vec<&NodeInfo> = nodes
        .iter()
        .filter(|node| matches!(node.status.as_str(), "away" | "lost"))
        .collect();
    if ill.is_empty() && away.is_empty() {
        return html! {};
    }
    html! {
        section #attention aria-label="Needs attention" {
            h2 { "Needs attention" }
            ul {
                @for service in ill {
                    li {
                        a href=(path(&["services", &service.name])) { (service.name) }
                        ": " (service.replicas - service.healthy) " of " (service.replicas)
                        " not healthy"
                        @if let Some(first) = service.waiting.first() { ", " (first) }
                    }
                }
                @for node in away {
                    li { a href="/nodes" { (node.name) } " is " (node.status) }
                }
            }
        }
    }
}

fn table(services: &[&ServiceInfo]) -> Markup {
    html! {
        h2 { "Services" }
        table {
            thead {
                tr {
                    th { "Service" } th.number { "Healthy" } th { "What runs" } th { "Waits for" }
                }
            }
            tbody #services { @for service in services { (row(service)) } }
        }
    }
}

fn row(service: &ServiceInfo) -> Markup {
    html! {
        tr id={ "s-" (service.name) } {
            td { a href=(path(&["services", &service.name])) { (service.name) } }
            td.number { (health(service)) }
            td { (service.artifact) }
            td { @if let Some(first) = service.waiting.first() { (first) } }
        }
    }
}

/// How many are healthy: a shape beside the colour, for who sees no colours.
pub(crate) fn health(service: &ServiceInfo) -> Markup {
    let (tone, shape) = match (service.healthy, service.replicas) {
        (healthy, wished) if healthy == wished => ("good", "●"),
        (0, _) => ("bad", "✖"),
        _ => ("watch", "▲"),
    };
    html! {
        span.(tone) {
            (service.healthy) "/" (service.replicas) " " span aria-hidden="true" { (shape) }
        }
    }
}
