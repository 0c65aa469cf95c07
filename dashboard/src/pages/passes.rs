//! Jobs with deadlines: how many wait, run and were missed, and each of them.

use axum::response::Response;
use client::passes::{JobInfo, JobPhase, ListArgs, StatsReply};
use maud::{Markup, html};
use rpc::Empty;
use serde_json::json;

use super::{Asked, Page, Problem, moment};
use crate::sessions::Session;

/// Jobs shown.
const SHOWN: u32 = 200;

pub(crate) async fn show(asked: Asked) -> Response {
    let (stats, mut jobs) = match ask(&asked.session).await {
        Ok(both) => both,
        Err(error) => return Problem::from(error).response(&asked.session),
    };
    jobs.retain(|job| says(job, &asked.filter));
    let main = html! {
        h1 { "Passes" }
        (numbers(&stats))
        h2 { "Jobs, newest first" }
        @if jobs.is_empty() {
            p { "None. The first one: "
                code { "orrery passes submit --due 10m --runtime 4m -- PROGRAM" } }
        } @else { (table(&jobs)) }
    };
    let data = json!({ "stats": stats, "jobs": jobs });
    Page::new("Passes", "orrery passes list", &data, main)
        .filtered()
        .polled()
        .response(&asked)
}

async fn ask(session: &Session) -> Result<(StatsReply, Vec<JobInfo>), rpc::Error> {
    let passes = session.look.fleet().await?.passes().await?;
    let args = ListArgs {
        limit: SHOWN,
        ..ListArgs::default()
    };
    Ok((
        passes.stats(&Empty {}).await?,
        passes.list(&args).await?.jobs,
    ))
}

fn says(job: &JobInfo, filter: &str) -> bool {
    let texts = [
        job.spec.key.as_str(),
        &job.spec.region,
        job.phase.as_str(),
        &job.why,
    ];
    let tags = job.spec.required_tags.iter().map(String::as_str);
    texts
        .into_iter()
        .chain(tags)
        .any(|text| text.contains(filter))
}

fn numbers(stats: &StatsReply) -> Markup {
    let waiting = |class: usize| stats.waiting.get(class).copied().unwrap_or(0);
    html! {
        table {
            thead {
                tr {
                    th { "Machines" } th { "Held" } th { "Alerts wait" } th { "Passes wait" }
                    th { "Batch waits" } th { "Run" } th { "Done" } th { "Missed" }
                    th { "Failed" } th { "Refused" } th { "Moved" }
                }
            }
            tbody #numbers {
                tr {
                    td { (stats.machines) } td { (stats.used_pct) " %" } td { (waiting(0)) }
                    td { (waiting(1)) } td { (waiting(2)) } td { (stats.running) }
                    td { (stats.done) } td { (stats.missed) } td { (stats.failed) }
                    td { (stats.refused) } td { (stats.migrated) }
                }
            }
        }
    }
}

fn table(jobs: &[JobInfo]) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th { "Job" } th { "Class" } th { "State" } th { "Due" } th { "Node" }
                    th { "Tags" } th { "Why" }
                }
            }
            tbody #jobs {
                @for job in jobs {
                    tr id={ "j-" (job.id) } {
                        td { (job.id) " " span.dim { (job.spec.key) } }
                        td { "P" (job.spec.priority_class) " " (job.spec.region) }
                        td { (phase(job.phase)) }
                        td { (moment(job.spec.deadline_ms)) }
                        td { (job.node.as_deref().unwrap_or("-")) }
                        td { (job.spec.required_tags.join(" ")) }
                        td { (job.why) }
                    }
                }
            }
        }
    }
}

fn phase(phase: JobPhase) -> Markup {
    let word = phase.as_str();
    match phase {
        JobPhase::Done => html! { span.good { "● " (word) } },
        JobPhase::Missed | JobPhase::Failed => html! { span.bad { "✕ " (word) } },
        JobPhase::Cancelled => html! { span.dim { "○ " (word) } },
        JobPhase::Waiting | JobPhase::Running => html! { span.watch { "◐ " (word) } },
    }
}
