//! One instance: why it is as it is, what happened to it, what it wrote.

use std::time::Duration;

use axum::extract::Path;
use axum::response::Response;
use client::Fleet;
use client::scheduling::{
    EventItem, EventsArgs, ExplainArgs, ExplainReply, InstanceInfo, LogLine, LogsArgs,
    SchedulingClient,
};
use maud::{Markup, html};
use rpc::CallOptions;
use serde_json::json;

use super::{Asked, Page, Problem, button, dangerous, events, instances, moment, path, placement};
use crate::sessions::Session;

/// Lines and events that are shown.
const LINES: u32 = 100;
const EVENTS: u32 = 50;
/// How long a page waits for them.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) async fn show(Path(id): Path<String>, asked: Asked) -> Response {
    match page(&asked.session, &id).await {
        Ok(page) => page.polled().response(&asked),
        Err(problem) => problem.response(&asked.session),
    }
}

async fn page(session: &Session, id: &str) -> Result<Page, Problem> {
    let view = session.look.told().await;
    let known = view.instances().into_iter().find(|i| i.id == id).cloned();
    let fleet = session.look.fleet().await?;
    let target = id.to_owned();
    let explained = fleet.scheduling().explain(&ExplainArgs { target }).await?;
    let machines = placement::of(&fleet, id).await;
    let events = events_of(&fleet, None, Some(id)).await?;
    let lines = lines_of(&fleet, id).await;
    let (lines, silent) = match lines {
        Ok(lines) => (lines, None),
        Err(error) => (Vec::new(), Some(error.message)),
    };
    let data = json!({
        "instance": known, "explained": explained, "placement": machines, "events": events,
        "lines": lines,
    });
    let main = html! {
        h1 { (id) }
        @if let Some(instance) = &known { (facts(instance)) (actions(session, instance)) }
        (because(&explained))
        (placement::machines(machines.as_ref()))
        h2 { "What happened" }
        (events::table(&events.iter().collect::<Vec<_>>()))
        h2 { "What it wrote" }
        @if let Some(why) = silent { p.dim { (why) } }
        pre.log { @for line in &lines { (line.text) "\n" } }
    };
    let command = format!("orrery explain {id}");
    Ok(Page::new(id, &command, &data, main))
}

fn facts(instance: &InstanceInfo) -> Markup {
    html! {
        dl.facts {
            dt { "State" } dd { (instances::state(instance.state)) " " (moment(instance.since_ms)) }
            dt { "Service" }
            dd { a href=(path(&["services", &instance.service])) { (instance.service) } }
            dt { "Node" } dd { (instance.node.as_deref().unwrap_or("none yet")) }
            dt { "Address" } dd { (instance.address.as_deref().unwrap_or("none")) }
            dt { "Process" }
            dd { @if let Some(pid) = instance.pid { (pid) } @else { "none" } }
            dt { "Starts in a row" } dd { (instance.attempt) }
        }
    }
}

fn actions(session: &Session, instance: &InstanceInfo) -> Markup {
    let act = |action: &str| path(&["instances", &instance.id, action]);
    html! {
        p.actions {
            @if session.may("scheduling", "restart", true) {
                (button(session, &act("restart"), "Restart"))
            }
            @if session.may("scheduling", "stop_instance", true) {
                (dangerous(session, &act("stop"), "Stop", &instance.id))
            }
        }
    }
}

/// Why something is as it is, and what would change that.
pub(crate) fn because(explained: &ExplainReply) -> Markup {
    html! {
        h2 { "Why" }
        ul { @for sentence in &explained.because { li { (sentence) } } }
        @if !explained.next.is_empty() {
            h2 { "What helps" }
            ul { @for step in &explained.next { li { (step) } } }
        }
    }
}

/// The last events of a service or of an instance, oldest first.
pub(crate) async fn events_of(
    fleet: &Fleet,
    service: Option<&str>,
    instance: Option<&str>,
) -> Result<Vec<EventItem>, rpc::Error> {
    let args = EventsArgs {
        service: service.map(str::to_owned),
        instance: instance.map(str::to_owned),
        tail: EVENTS,
        after: None,
        follow: false,
    };
    let mut stream = patient(fleet).events(&args).await?;
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event?);
    }
    Ok(events)
}

async fn lines_of(fleet: &Fleet, target: &str) -> Result<Vec<LogLine>, rpc::Error> {
    let args = LogsArgs {
        target: target.to_owned(),
        tail: LINES,
        follow: false,
        stream: None,
    };
    let mut stream = patient(fleet).logs(&args).await?;
    let mut lines = Vec::new();
    while let Some(line) = stream.next().await {
        let mut line = line?;
        line.text = line.text.chars().map(visible).collect();
        lines.push(line);
    }
    Ok(lines)
}

/// What a terminal would act on is shown as what it is.
fn visible(c: char) -> char {
    match c {
        '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        // Control characters of C1, and marks that turn the direction of text around.
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => c,
    }
}

fn patient(fleet: &Fleet) -> SchedulingClient {
    fleet.scheduling_streams().with(CallOptions {
        timeout: Some(PATIENCE),
        ..CallOptions::default()
    })
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_a_terminal_would_act_on_is_seen_and_acts_on_nothing() {
        let line = "a\x1b[31mb\u{202e}c\u{9b}d\te\x7f";
        let shown: String = line.chars().map(visible).collect();
        assert_eq!(shown, "a␛[31mb\u{fffd}c\u{fffd}d\te␡");
    }
}
