//! What happened, to what, when and why.

use axum::response::Response;
use client::scheduling::EventItem;
use maud::{Markup, html};

use super::instance::events_of;
use super::{Asked, Page, Problem, moment};
use crate::sessions::Session;

pub(crate) async fn show(asked: Asked) -> Response {
    let events = match list(&asked.session).await {
        Ok(events) => events,
        Err(error) => return Problem::from(error).response(&asked.session),
    };
    let wanted = |event: &&EventItem| {
        let filter = asked.filter.as_str();
        event.subject.contains(filter) || event.kind.contains(filter) || event.why.contains(filter)
    };
    let shown: Vec<&EventItem> = events.iter().filter(wanted).collect();
    let main = html! {
        h1 { "Events" }
        (table(&shown))
    };
    Page::new("Events", "orrery events -f", &shown, main)
        .filtered()
        .response(&asked)
}

async fn list(session: &Session) -> Result<Vec<EventItem>, rpc::Error> {
    let fleet = session.look.fleet().await?;
    events_of(&fleet, None, None).await
}

/// Events, newest first.
pub(crate) fn table(events: &[&EventItem]) -> Markup {
    html! {
        table {
            thead { tr { th { "When" } th { "What" } th { "To" } th { "Why" } } }
            tbody #events {
                @for event in events.iter().rev() {
                    tr id={ "e-" (event.number) } {
                        td { (moment(event.at_ms)) }
                        td { (event.kind) }
                        td { (event.subject) }
                        td { (event.why) }
                    }
                }
            }
        }
    }
}
