//! Streaming jobs: where they are, what their tasks count, and their checkpoints.

use axum::extract::Path;
use axum::response::Response;
use client::pipelines::{CheckpointInfo, EventsArgs, JobArgs, JobInfo, LogEntry, TaskNumbers};
use maud::{Markup, html};
use rpc::Empty;
use serde_json::json;

use super::{Asked, Page, Problem, button, dangerous, moment, path};
use crate::sessions::Session;

pub(crate) async fn show(asked: Asked) -> Response {
    let mut jobs = match list(&asked.session).await {
        Ok(jobs) => jobs,
        Err(error) => return Problem::from(error).response(&asked.session),
    };
    jobs.retain(|job| job.name.contains(&asked.filter));
    let main = html! {
        h1 { "Pipelines" }
        @if jobs.is_empty() {
            p { "No job. The first one: "
                code { "orrery pipelines submit NAME PROGRAM.sql" } }
        } @else { (table(&jobs)) }
    };
    Page::new("Pipelines", "orrery pipelines list", &jobs, main)
        .filtered()
        .polled()
        .response(&asked)
}

async fn list(session: &Session) -> Result<Vec<JobInfo>, rpc::Error> {
    let pipelines = session.look.fleet().await?.pipelines().await?;
    Ok(pipelines.list(&Empty {}).await?.jobs)
}

fn table(jobs: &[JobInfo]) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th { "Job" } th { "State" } th { "Stages" } th { "Workers" }
                    th { "Last checkpoint" } th { "Trouble" }
                }
            }
            tbody #jobs {
                @for job in jobs {
                    @let taken = job.checkpoint.as_ref().and_then(|c| c.finished_at_ms);
                    tr id={ "p-" (job.name) } {
                        td { a href=(path(&["pipelines", &job.name])) { (job.name) } }
                        td { (state(&job.state)) }
                        td { (stages(job)) }
                        td { (job.workers.len()) }
                        td { @if let Some(at) = taken { (moment(at)) } @else { "-" } }
                        td { (job.failure.as_deref().unwrap_or("-")) }
                    }
                }
            }
        }
    }
}

fn state(word: &str) -> Markup {
    match word {
        "running" => html! { span.good { "● " (word) } },
        "failed" => html! { span.bad { "✕ " (word) } },
        "stopped" | "finished" => html! { span.dim { "○ " (word) } },
        _ => html! { span.watch { "◐ " (word) } },
    }
}

fn stages(job: &JobInfo) -> String {
    let stages = job.parallelism.iter();
    let stages: Vec<String> = stages
        .map(|(stage, count)| format!("{stage} ×{count}"))
        .collect();
    stages.join(", ")
}

/// What is known of one job.
struct Known {
    job: JobInfo,
    why: Vec<String>,
    tasks: Vec<TaskNumbers>,
    checkpoints: Vec<CheckpointInfo>,
    events: Vec<LogEntry>,
}

pub(crate) async fn one(Path(name): Path<String>, asked: Asked) -> Response {
    let known = match ask(&asked.session, name).await {
        Ok(known) => known,
        Err(error) => return Problem::from(error).response(&asked.session),
    };
    let name = known.job.name.clone();
    let main = html! {
        h1 { (name) " " (state(&known.job.state)) }
        p { (stages(&known.job)) }
        (actions(&asked.session, &known.job))
        h2 { "Why" }
        ul { @for sentence in &known.why { li { (sentence) } } }
        (tasks(&known.tasks))
        (checkpoints(&known.checkpoints))
        h2 { "What happened" }
        pre.log { @for event in known.events.iter().rev().take(50) { (event.text) "\n" } }
    };
    let data = json!({
        "job": known.job, "why": known.why, "tasks": known.tasks,
        "checkpoints": known.checkpoints, "events": known.events,
    });
    let command = format!("orrery pipelines show {name}");
    Page::new(&name, &command, &data, main)
        .polled()
        .response(&asked)
}

async fn ask(session: &Session, name: String) -> Result<Known, rpc::Error> {
    let pipelines = session.look.fleet().await?.pipelines().await?;
    let args = JobArgs { name };
    let events = EventsArgs {
        name: args.name.clone(),
        after: 0,
    };
    Ok(Known {
        job: pipelines.show(&args).await?,
        why: pipelines.why(&args).await?.sentences,
        tasks: pipelines.metrics_of(&args).await?.tasks,
        checkpoints: pipelines.checkpoints(&args).await?.checkpoints,
        events: pipelines.events(&events).await?.events,
    })
}

fn actions(session: &Session, job: &JobInfo) -> Markup {
    let act = |action: &str| path(&["pipelines", &job.name, action]);
    html! {
        div.actions {
            @if session.may("pipelines", "restart", true) {
                (button(session, &act("restart"), "Restart"))
            }
            @if session.may("pipelines", "stop", true) {
                (dangerous(session, &act("stop"), "Stop with a checkpoint", &job.name))
            }
        }
    }
}

fn tasks(tasks: &[TaskNumbers]) -> Markup {
    html! {
        h2 { "Tasks" }
        @if tasks.is_empty() { p { "None runs." } }
        table {
            thead {
                tr {
                    th { "Task" } th { "Rows in" } th { "Rows out" } th { "Late" } th { "Bad" }
                    th { "Waited for room" } th { "State" }
                }
            }
            tbody #tasks {
                @for task in tasks {
                    tr id={ "t-" (task.task) } {
                        td { (task.task) } td { (task.rows_in) } td { (task.rows_out) }
                        td { (task.late_rows) } td { (task.bad_rows) }
                        td { (task.blocked_ms) " ms" } td { (task.state_bytes) " B" }
                    }
                }
            }
        }
    }
}

fn checkpoints(all: &[CheckpointInfo]) -> Markup {
    html! {
        h2 { "Checkpoints" }
        @if all.is_empty() { p { "None yet." } }
        table {
            thead {
                tr { th { "Epoch" } th { "State" } th { "Begun" } th { "Bytes" } th { "Why" } }
            }
            tbody #checkpoints {
                @for checkpoint in all.iter().take(20) {
                    tr {
                        td { (checkpoint.epoch) } td { (checkpoint.state) }
                        td { (moment(checkpoint.started_at_ms)) } td { (checkpoint.bytes) }
                        td { (checkpoint.why.as_deref().unwrap_or("-")) }
                    }
                }
            }
        }
    }
}
