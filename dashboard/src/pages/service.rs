//! One service: wish against fact, and what can be done about it.

use axum::extract::Path;
use axum::response::Response;
use client::scheduling::{ExplainArgs, GetServiceArgs, GetServiceReply, InstanceInfo};
use maud::{Markup, html};
use serde_json::json;

use super::fleet::health;
use super::instance::{because, events_of};
use super::{Asked, Page, Problem, button, dangerous, events, hidden, instances, path, placement};
use crate::sessions::Session;

pub(crate) async fn show(Path(name): Path<String>, asked: Asked) -> Response {
    match page(&asked.session, name).await {
        Ok(page) => page.polled().response(&asked),
        Err(problem) => problem.response(&asked.session),
    }
}

async fn page(session: &Session, name: String) -> Result<Page, Problem> {
    let fleet = session.look.fleet().await?;
    let scheduling = fleet.scheduling();
    let args = GetServiceArgs { name };
    let service = scheduling.get_service(&args).await?;
    let target = args.name.clone();
    let explained = scheduling.explain(&ExplainArgs { target }).await?;
    let events = events_of(&fleet, Some(&args.name), None).await?;
    let machines = placement::of(&fleet, &args.name).await;
    let newest = newest(&service);
    let main = html! {
        h1 { (args.name) " " (health(&service.service)) }
        p { (service.service.artifact) }
        (actions(session, &service))
        (because(&explained))
        (placement::machines(machines.as_ref()))
        h2 { "Instances" }
        (instances::table(&newest))
        h2 { "What happened" }
        (events::table(&events.iter().collect::<Vec<_>>()))
        details { summary { "Spec" } pre { (service.spec) } }
    };
    let data = json!({
        "service": service, "explained": explained, "placement": machines, "events": events,
    });
    let command = format!("orrery explain {}", args.name);
    Ok(Page::new(&args.name, &command, &data, main))
}

/// What runs, and of a slot where nothing does, what ended last.
fn newest(service: &GetServiceReply) -> Vec<&InstanceInfo> {
    let all = &service.instances;
    let replaced = |i: &InstanceInfo| {
        let newer = |o: &InstanceInfo| o.index == i.index && o.generation > i.generation;
        all.iter().any(newer)
    };
    let shown = all
        .iter()
        .filter(|i| !i.state.is_terminal() || !replaced(i));
    shown.collect()
}

fn actions(session: &Session, service: &GetServiceReply) -> Markup {
    let name = &service.service.name;
    let act = |action: &str| path(&["services", name, action]);
    let may = |procedure: &str| session.may("scheduling", procedure, true);
    html! {
        div.actions {
            @if may("scale_service") {
                form.inline method="post" action=(act("scale")) {
                    (hidden(session))
                    label { "Replicas "
                        input type="number" name="replicas" min="1" max="100000" required
                            value=(service.service.replicas);
                    }
                    button { "Scale" }
                }
                (to_zero(session, &act("scale"), name))
            }
            @if may("restart") { (button(session, &act("restart"), "Restart one by one")) }
            @if may("delete_service") { (dangerous(session, &act("delete"), "Delete", name)) }
        }
    }
}

fn to_zero(session: &Session, action: &str, name: &str) -> Markup {
    html! {
        details.danger {
            summary { "Scale to 0" }
            form method="post" action=(action) {
                (hidden(session))
                input type="hidden" name="replicas" value="0";
                label { "Write " code { (name) } " to confirm "
                    input name="confirm" required autocomplete="off" size="16";
                }
                button.danger { "Scale to 0" }
            }
        }
    }
}
