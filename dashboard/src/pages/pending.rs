//! What waits, and for what.

use axum::response::Response;
use client::scheduling::{PlanArgs, WaitingSlot};
use maud::{Markup, html};

use super::{Asked, Page, Problem, moment, path};
use crate::sessions::Session;

pub(crate) async fn show(asked: Asked) -> Response {
    let mut waiting = match list(&asked.session).await {
        Ok(waiting) => waiting,
        Err(error) => return Problem::from(error).response(&asked.session),
    };
    waiting.retain(|slot| slot.slot.contains(&asked.filter) || slot.reason.contains(&asked.filter));
    let main = html! {
        h1 { (waiting.len()) " waiting" }
        @if waiting.is_empty() {
            p {
                "Everything has what it was wished for. What cannot be started is listed here, \
                 with why and what helps."
            }
        } @else { (table(&waiting)) }
    };
    Page::new("Pending", "orrery plan", &waiting, main)
        .filtered()
        .response(&asked)
}

async fn list(session: &Session) -> Result<Vec<WaitingSlot>, rpc::Error> {
    let fleet = session.look.fleet().await?;
    let plan = fleet.scheduling().plan(&PlanArgs { change: None }).await?;
    Ok(plan.waiting)
}

fn table(waiting: &[WaitingSlot]) -> Markup {
    html! {
        table {
            thead { tr { th { "Slot" } th { "Waits for" } th { "Until" } th { "" } } }
            tbody #waiting {
                @for slot in waiting {
                    tr id={ "w-" (slot.slot) } {
                        td { (slot.slot) }
                        td { (slot.reason) }
                        td { @if let Some(until) = slot.until_ms { (moment(until)) } @else { "-" } }
                        td {
                            @let service = slot.slot.split('.').next().unwrap_or_default();
                            a href=(path(&["services", service])) { "what helps" }
                        }
                    }
                }
            }
        }
    }
}
