//! Instances: what runs, and what ended and was not replaced.

use axum::response::Response;
use client::scheduling::{InstanceInfo, InstanceState};
use dashboard::span;
use maud::{Markup, html};

use super::{Asked, Page, count, moment, now_ms, path};

/// Instances on one page.
const ROWS: usize = 200;

pub(crate) async fn show(asked: Asked) -> Response {
    let view = asked.session.look.told().await;
    let mut instances = view.instances();
    instances.retain(|i| i.id.contains(&asked.filter) || i.state.as_str() == asked.filter);
    let pages = instances.len().div_ceil(ROWS).max(1);
    let page = asked.page.min(pages - 1);
    let shown: Vec<&InstanceInfo> = instances
        .iter()
        .copied()
        .skip(page * ROWS)
        .take(ROWS)
        .collect();
    let main = html! {
        h1 { (count(instances.len(), "instance")) }
        (table(&shown))
        @if pages > 1 {
            nav aria-label="Pages" {
                @for other in 0..pages {
                    @if other == page { span aria-current="page" { (other + 1) } }
                    @else {
                        @let filter = query(&asked.filter);
                        a href={ "?page=" (other) "&q=" (filter) } { (other + 1) }
                    }
                    " "
                }
            }
        }
    };
    Page::new("Instances", "orrery ps", &shown, main)
        .filtered()
        .response(&asked)
}

/// Text as a value in an address.
fn query(text: &str) -> String {
    path(&[text])[1..].to_owned()
}

/// Instances as a table.
pub(crate) fn table(instances: &[&InstanceInfo]) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th { "Instance" } th { "State" } th { "Since" } th { "Node" } th { "Address" }
                    th.number { "Pid" } th { "Why" }
                }
            }
            tbody #instances { @for instance in instances { (row(instance)) } }
        }
    }
}

fn row(instance: &InstanceInfo) -> Markup {
    html! {
        tr id={ "i-" (instance.id) } {
            td { a href=(path(&["instances", &instance.id])) { (instance.id) } }
            td title=[well_for(instance)] { (state(instance.state)) }
            td { (moment(instance.since_ms)) }
            td { (instance.node.as_deref().unwrap_or("-")) }
            td { (instance.address.as_deref().unwrap_or("-")) }
            td.number { @if let Some(pid) = instance.pid { (pid) } @else { "-" } }
            td { (instance.failure.as_deref().unwrap_or(&instance.reason)) }
        }
    }
}

fn well_for(instance: &InstanceInfo) -> Option<String> {
    let since = instance.healthy_since_ms?;
    Some(format!(
        "healthy for {}",
        span(now_ms().saturating_sub(since))
    ))
}

/// A state: a shape beside the colour, for who sees no colours.
pub(crate) fn state(state: InstanceState) -> Markup {
    use InstanceState as S;
    let (tone, shape) = match state {
        S::Healthy => ("good", "●"),
        S::Pending | S::Scheduled | S::Starting | S::Stopping => ("watch", "▲"),
        S::Unhealthy | S::Failed | S::Lost => ("bad", "✖"),
        S::Stopped => ("dim", "○"),
    };
    html! { span.(tone) { span aria-hidden="true" { (shape) } " " (state.as_str()) } }
}
