//! Who changed what.

use axum::response::Response;
use client::security::{AuditArgs, AuditEntry};
use maud::{Markup, html};

use super::{Asked, Page, Problem, moment};
use crate::sessions::Session;

/// Entries shown.
const SHOWN: usize = 200;

pub(crate) async fn show(asked: Asked) -> Response {
    let entries = match last(&asked.session, &asked.filter).await {
        Ok(entries) => entries,
        Err(error) => return Problem::from(error).response(&asked.session),
    };
    let main = html! {
        h1 { "Audit" }
        p {
            "Everything that people changed, the last " (SHOWN) " entries, newest first. "
            code { "orrery audit verify" } " checks that nobody changed the record."
        }
        (table(&entries))
    };
    Page::new("Audit", "orrery audit list", &entries, main)
        .filtered()
        .polled()
        .response(&asked)
}

/// The last entries that say this somewhere, newest first.
async fn last(session: &Session, filter: &str) -> Result<Vec<AuditEntry>, rpc::Error> {
    let security = session.look.fleet().await?.security().await?;
    let is_meant = |entry: &AuditEntry| says(entry, filter);
    let mut last = security
        .audit_last(AuditArgs::default(), SHOWN, is_meant)
        .await?;
    last.reverse();
    Ok(last)
}

fn says(entry: &AuditEntry, filter: &str) -> bool {
    let call = &entry.call;
    let texts = [
        &call.caller,
        &call.service,
        &call.procedure,
        &call.subject,
        &call.verdict,
    ];
    texts.iter().any(|text| text.contains(filter))
}

fn table(entries: &[AuditEntry]) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th { "Entry" } th { "When" } th { "Who" } th { "Did" } th { "To" }
                    th { "Verdict" }
                }
            }
            tbody #audit {
                @for AuditEntry { number, call, .. } in entries {
                    tr id={ "a-" (number) } {
                        td { (number) }
                        td { (moment(call.at_ms)) }
                        td { (call.caller) }
                        td { (call.service) " " (call.procedure) }
                        td { (call.subject) }
                        td { @if call.verdict == "allowed" { "allowed" }
                            @else { span.bad { "✕ " (call.verdict) } } }
                    }
                }
            }
        }
    }
}
