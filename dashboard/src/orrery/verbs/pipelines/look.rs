//! How jobs are shown.

use std::fmt::Write as _;

use clap::Args;
use client::pipelines::{
    CheckpointInfo, EventsArgs, JobArgs, JobInfo, LogEntry, MetricsReply, TaskNumbers,
};
use dashboard::ago;
use rpc::Empty;
use serde::Serialize;
use tokio::time::sleep;

use super::{PAUSE, client};
use crate::failure::Failure;
use crate::output::{Cell, Format, Table, Tone, escape};
use crate::session::Session;

/// Show one job: where it is, who runs it, and what its tasks count.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Which job.
    name: String,
}

/// Say why a job is where it is, and what it waits for.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// Which job.
    name: String,
}

/// Show what happened to a job: moves, troubles, checkpoints.
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// Which job.
    name: String,
    /// Go on with what happens.
    #[arg(short, long)]
    follow: bool,
}

/// List a job's checkpoints, newest first.
#[derive(Debug, Args)]
pub(super) struct Checkpoints {
    /// Which job.
    name: String,
}

/// A job with what its tasks count.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    job: JobInfo,
    tasks: Vec<TaskNumbers>,
}

pub(super) async fn list(session: &Session) -> Result<(), Failure> {
    let jobs = client(session).await?.list(&Empty {}).await?.jobs;
    if jobs.is_empty() && session.out.format() == Format::Table {
        let next = "orrery pipelines submit NAME PROGRAM.sql";
        session.out.suggest("there is no job; the first", next);
    }
    let now = session.now_ms();
    session.out.list(&jobs, || {
        let headers = &[
            "JOB",
            "STATE",
            "TASKS",
            "WORKERS",
            "RESTARTS",
            "CHECKPOINT",
            "WHY",
        ];
        let mut table = Table::new(headers);
        for job in &jobs {
            let taken = job.checkpoint.as_ref().and_then(|c| c.finished_at_ms);
            table.row([
                Cell::new(&job.name),
                Cell::new(&job.state).tone(tone(&job.state)),
                Cell::number(job.parallelism.values().sum::<u32>()),
                Cell::number(job.workers.len()),
                Cell::number(job.restarts),
                Cell::new(taken.map_or_else(String::new, |at| ago(at, now))),
                Cell::new(job.failure.as_deref().unwrap_or_default()),
            ]);
        }
        table
    })
}

fn tone(state: &str) -> Tone {
    match state {
        "running" => Tone::Good,
        "failed" => Tone::Bad,
        "stopped" | "finished" => Tone::Dim,
        _ => Tone::Watch,
    }
}

/// A job on one line.
pub(super) fn sentence(job: &JobInfo) -> String {
    let mut text = format!("{}: {}", escape::line(&job.name), escape::line(&job.state));
    if let Some(checkpoint) = &job.checkpoint {
        // Writing to a String cannot fail.
        let _ = write!(text, ", checkpoint {}", checkpoint.epoch);
    }
    if let Some(failure) = &job.failure {
        let _ = write!(text, "; last trouble: {}", escape::line(failure));
    }
    text
}

impl Show {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let client = client(session).await?;
        let args = JobArgs::new(self.name);
        let job = client.show(&args).await?;
        let MetricsReply { tasks } = client.metrics_of(&args).await?;
        let shown = Shown { job, tasks };
        session.out.one(&shown, || words(session, &shown))
    }
}

fn words(session: &Session, Shown { job, tasks }: &Shown) -> String {
    let mut text = format!("{}\n", sentence(job));
    let stages = job.parallelism.iter();
    let stages: Vec<String> = stages.map(|(stage, n)| format!("{stage}={n}")).collect();
    let _ = writeln!(text, "stages    {}", escape::line(&stages.join(" ")));
    for worker in &job.workers {
        let (node, address) = (escape::line(&worker.node), escape::line(&worker.address));
        let (id, pid, slots) = (worker.id, worker.pid, worker.slots);
        let _ = writeln!(
            text,
            "worker {id}  {node} {address}, process {pid}, {slots} slots"
        );
    }
    if !tasks.is_empty() {
        let headers = &[
            "TASK", "ROWS IN", "ROWS OUT", "LATE", "BAD", "BLOCKED", "STATE",
        ];
        let mut table = Table::new(headers);
        for task in tasks {
            table.row([
                Cell::new(&task.task),
                Cell::number(task.rows_in),
                Cell::number(task.rows_out),
                Cell::number(task.late_rows),
                Cell::number(task.bad_rows),
                Cell::number(format!("{} ms", task.blocked_ms)),
                Cell::number(format!("{} B", task.state_bytes)),
            ]);
        }
        let _ = write!(text, "\n{}", session.out.fit(&table));
    }
    text
}

impl Why {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let reply = client(session).await?.why(&JobArgs::new(self.name)).await?;
        session.out.one(&reply, || {
            let lines = reply.sentences.iter();
            let lines: Vec<String> = lines.map(|s| escape::line(s).into_owned()).collect();
            lines.join("\n")
        })
    }
}

impl Logs {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let client = client(session).await?;
        let mut args = EventsArgs {
            name: self.name,
            after: 0,
        };
        loop {
            let events = client.events(&args).await?.events;
            for event in &events {
                args.after = args.after.max(event.number);
                match session.out.format() {
                    Format::Json | Format::Jsonl => session.out.json_line(event)?,
                    Format::Table => session.out.text(&line(session, event))?,
                }
            }
            if events.is_empty() {
                if !self.follow {
                    return Ok(());
                }
                sleep(PAUSE * 10).await;
            }
        }
    }
}

fn line(session: &Session, event: &LogEntry) -> String {
    let when = ago(event.at_ms, session.now_ms());
    format!("{when:<8}  {}", escape::line(&event.text))
}

impl Checkpoints {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let args = JobArgs::new(self.name);
        let all = client(session).await?.checkpoints(&args).await?.checkpoints;
        let now = session.now_ms();
        session.out.list(&all, || {
            let mut table = Table::new(&["EPOCH", "STATE", "BEGUN", "TOOK", "BYTES", "WHY"]);
            for checkpoint in &all {
                table.row(row(checkpoint, now));
            }
            table
        })
    }
}

fn row(checkpoint: &CheckpointInfo, now: u64) -> [Cell; 6] {
    let took = checkpoint.finished_at_ms;
    let took = took.map(|at| format!("{} ms", at.saturating_sub(checkpoint.started_at_ms)));
    let tone = match checkpoint.state.as_str() {
        "ready" => Tone::Good,
        "failed" => Tone::Bad,
        _ => Tone::Watch,
    };
    [
        Cell::number(checkpoint.epoch),
        Cell::new(&checkpoint.state).tone(tone),
        Cell::new(ago(checkpoint.started_at_ms, now)),
        Cell::number(took.unwrap_or_default()),
        Cell::number(checkpoint.bytes),
        Cell::new(checkpoint.why.as_deref().unwrap_or_default()),
    ]
}
