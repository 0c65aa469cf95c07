//! What machines say to an instance that waits for a place.

use client::Fleet;
use client::resource_scheduler::{ExplainArgs, ExplainReply};
use maud::{Markup, html};

/// Machines shown.
const MACHINES: u32 = 10;

/// What machines say to it; nothing of what has a place, or is placed by nobody.
pub(crate) async fn of(fleet: &Fleet, target: &str) -> Option<ExplainReply> {
    let scheduler = fleet.resource_scheduler().await.ok()?;
    let args = ExplainArgs {
        target: target.to_owned(),
        machines_max: MACHINES,
    };
    let reply = scheduler.explain(&args).await.ok()?;
    (reply.node.is_none() && !reply.least.is_empty()).then_some(reply)
}

/// The least that would help, and what else would.
pub(crate) fn machines(said: Option<&ExplainReply>) -> Markup {
    let Some(said) = said else {
        return html! {};
    };
    html! {
        h2 { "The least that would help" }
        p { (said.least) }
        h2 { "What each machine says" }
        table {
            thead { tr { th { "Machine" } th { "Rule" } th { "Would have to change" } } }
            tbody #machines {
                @for machine in &said.machines {
                    @for check in machine.checks.iter().filter(|check| !check.holds) {
                        tr { td { (machine.node) } td { (check.rule) } td { (check.says) } }
                    }
                }
            }
        }
    }
}
