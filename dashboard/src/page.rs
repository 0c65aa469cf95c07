//! The page as HTML. Everything that is shown goes through maud, which escapes it.

use client::scheduling::{InstanceInfo, InstanceState, ServiceInfo};
use dashboard::{ago, span};
use maud::{DOCTYPE, Markup, html};

use crate::view::View;

/// How the page looks; a file of its own, so that the policy can forbid everything inline.
pub(crate) const STYLE: &str = include_str!("style.css");

/// Instances on one page.
const PAGE_ROWS: usize = 200;
/// Seconds between two looks.
const REFRESH_S: u32 = 2;

/// The whole page. `page` is which part of the instances, from 0.
pub(crate) fn fleet(view: &View, page: usize, now_ms: u64) -> Markup {
    let instances = view.instances();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                meta http-equiv="refresh" content=(REFRESH_S);
                title { (title(view)) }
                link rel="stylesheet" href="/style.css";
            }
            body {
                header {
                    h1 { "Orrery" }
                    p { (sentence(view)) }
                }
                (banner(view))
                main {
                    (services(view))
                    (table(&instances, page, now_ms))
                }
                footer {
                    "revision " (view.revision()) " · in a terminal: " code { "orrery status" }
                }
            }
        }
    }
}

fn sums(view: &View) -> (u64, u64) {
    let healthy = view.services().map(|s| u64::from(s.healthy)).sum();
    let wished = view.services().map(|s| u64::from(s.replicas)).sum();
    (healthy, wished)
}

fn title(view: &View) -> String {
    let (healthy, wished) = sums(view);
    match view.lost() {
        Some(_) => "scheduling is away · Orrery".to_owned(),
        None => format!("{healthy}/{wished} · Orrery"),
    }
}

fn sentence(view: &View) -> String {
    if !view.is_told() {
        return "Nothing is known of the fleet yet.".to_owned();
    }
    let (healthy, wished) = sums(view);
    let services = view.services().len();
    format!("{healthy} of {wished} instances of {services} services are healthy.")
}

/// Says that what is shown is old, and how old.
fn banner(view: &View) -> Markup {
    let Some((age, why)) = view.lost() else {
        return html! {};
    };
    let seconds = age.as_secs();
    html! {
        p.banner role="alert" {
            strong { "scheduling cannot be reached, data is " (seconds) " s old" }
            " " (why) ". "
            "What runs goes on running. Start it with " code { "cargo run -p scheduling" } "."
        }
    }
}

fn services(view: &View) -> Markup {
    html! {
        h2 { "Services" }
        table {
            thead {
                tr {
                    th { "Service" } th.number { "Healthy" } th { "What runs" } th { "Waits for" }
                }
            }
            tbody { @for service in view.services() { (service_row(service)) } }
        }
    }
}

fn service_row(service: &ServiceInfo) -> Markup {
    let tone = match (service.healthy, service.replicas) {
        (healthy, wished) if healthy == wished => "good",
        (0, _) => "bad",
        _ => "watch",
    };
    html! {
        tr {
            td { (service.name) }
            td.number.(tone) { (service.healthy) "/" (service.replicas) }
            td { (service.artifact) }
            td { @if let Some(first) = service.waiting.first() { (first) } }
        }
    }
}

fn table(instances: &[&InstanceInfo], page: usize, now_ms: u64) -> Markup {
    let pages = instances.len().div_ceil(PAGE_ROWS).max(1);
    let page = page.min(pages - 1);
    let shown = instances.iter().skip(page * PAGE_ROWS).take(PAGE_ROWS);
    html! {
        h2 { "Instances" }
        table {
            thead {
                tr {
                    th { "Instance" } th { "State" } th { "Since" } th { "Address" }
                    th.number { "Pid" } th { "Why" }
                }
            }
            tbody { @for instance in shown { (instance_row(instance, now_ms)) } }
        }
        @if pages > 1 {
            nav {
                @for other in 0..pages {
                    @if other == page { span { (other + 1) } }
                    @else { a href={ "/?page=" (other) } { (other + 1) } }
                    " "
                }
            }
        }
    }
}

fn instance_row(instance: &InstanceInfo, now_ms: u64) -> Markup {
    use InstanceState as S;
    let tone = match instance.state {
        S::Healthy => "good",
        S::Pending | S::Scheduled | S::Starting | S::Stopping => "watch",
        S::Unhealthy | S::Failed | S::Lost => "bad",
        S::Stopped => "dim",
    };
    let well_for = instance
        .healthy_since_ms
        .map(|since| format!("healthy for {}", span(now_ms.saturating_sub(since))));
    html! {
        tr {
            td { (instance.id) }
            td.(tone) { (instance.state.as_str()) }
            td title=[well_for] { (ago(instance.since_ms, now_ms)) }
            td { (instance.address.as_deref().unwrap_or("-")) }
            td.number { @if let Some(pid) = instance.pid { (pid) } @else { "-" } }
            td { (instance.failure.as_deref().unwrap_or(&instance.reason)) }
        }
    }
}
