//! `orrery passes list`, `watch` and `stats`: what becomes of jobs.

use clap::Args;
use client::passes::{JobInfo, JobPhase, ListArgs, StatsReply, WatchArgs};
use dashboard::{ago, span};

use super::client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Format, Table, Tone, escape};
use crate::session::Session;

const PHASES: [JobPhase; 6] = [
    JobPhase::Waiting,
    JobPhase::Running,
    JobPhase::Done,
    JobPhase::Failed,
    JobPhase::Missed,
    JobPhase::Cancelled,
];

fn phase(text: &str) -> Result<JobPhase, String> {
    let found = PHASES.into_iter().find(|phase| phase.as_str() == text);
    found.ok_or_else(|| format!("one of {}", PHASES.map(JobPhase::as_str).join(", ")))
}

fn tone(phase: JobPhase) -> Tone {
    match phase {
        JobPhase::Done => Tone::Good,
        JobPhase::Waiting | JobPhase::Running => Tone::Watch,
        JobPhase::Failed | JobPhase::Missed => Tone::Bad,
        JobPhase::Cancelled => Tone::Dim,
    }
}

/// List jobs, newest first, those that are over included.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery passes list
  orrery passes list --phase missed -o jsonl | jq -r .why
  orrery passes list 17 -o json               everything about one, its log included")]
pub(super) struct List {
    /// Only these.
    ids: Vec<u64>,
    /// Only those that are waiting, running, done, failed, missed or cancelled.
    #[arg(long, value_parser = phase)]
    phase: Option<JobPhase>,
    /// At most so many.
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: u32,
}

impl List {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let args = ListArgs {
            ids: self.ids,
            phase: self.phase,
            limit: self.limit,
        };
        let jobs = client(session).await?.list(&args).await?.jobs;
        let now = session.now_ms();
        session.out.list(&jobs, || table(&jobs, now))
    }
}

fn table(jobs: &[JobInfo], now: u64) -> Table {
    let mut table = Table::new(&[
        "JOB",
        "CLASS",
        "PHASE",
        "NODE",
        "STARTS",
        "SUBMITTED",
        "DUE",
        "WHY",
    ]);
    for job in jobs {
        let due = job.spec.deadline_ms;
        let due = if due > now {
            format!("in {}", span(due - now))
        } else {
            ago(due, now)
        };
        table.row([
            Cell::number(job.id),
            Cell::new(format!("P{}", job.spec.priority_class)),
            Cell::new(job.phase.as_str()).tone(tone(job.phase)),
            Cell::new(job.node.as_deref().unwrap_or_default()),
            Cell::number(job.attempt),
            Cell::new(ago(job.submitted_ms, now)),
            Cell::new(due),
            Cell::new(&job.why),
        ]);
    }
    table
}

/// Show jobs as they are and then every change; those that are named, until all are over.
///
/// Exit code 1 if one that is named was not done.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery passes watch 17 18
  orrery passes watch --timeout 1m            all jobs, for a minute")]
pub(super) struct Watch {
    /// Which; all of them if none is named.
    ids: Vec<u64>,
}

impl Watch {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let passes = session.ask(session.fleet.passes_streams()).await?;
        let args = WatchArgs { ids: self.ids };
        let mut stream = passes.with(session.options()).watch(&args).await?;
        let mut undone = std::collections::BTreeSet::new();
        while let Some(item) = stream.next().await {
            let job = match item {
                Ok(job) => job,
                Err(error) if session.is_end_of_following(&error) => break,
                Err(error) => return Err(error.into()),
            };
            match session.out.format() {
                Format::Json | Format::Jsonl => session.out.json_line(&job)?,
                Format::Table => session.out.text(&line(&job))?,
            }
            if job.phase == JobPhase::Done {
                undone.remove(&job.id);
            } else {
                undone.insert(job.id);
            }
        }
        if args.ids.is_empty() || undone.is_empty() {
            return Ok(());
        }
        let what = format!("{} not done", super::super::count(undone.len(), "job"));
        Err(Failure::new(Exit::Failed, what).hint("orrery passes list ID -o json"))
    }
}

fn line(job: &JobInfo) -> String {
    let (phase, style) = (job.phase.as_str(), tone(job.phase).style());
    let why = job.why.lines().next().unwrap_or_default();
    let class = job.spec.priority_class;
    format!(
        "{:>6}  P{class}  {style}{phase:<9}{style:#}  {}",
        job.id,
        escape::line(why)
    )
}

/// Shows how the scheduler is doing.
pub(super) async fn stats(session: &Session) -> Result<(), Failure> {
    let stats = client(session).await?.stats(&rpc::Empty {}).await?;
    session.out.one(&stats, || words(&stats))
}

fn words(stats: &StatsReply) -> String {
    let waiting: Vec<String> = stats.waiting.iter().map(ToString::to_string).collect();
    let rows = [
        (
            "nodes",
            format!("{}, {} % taken by jobs", stats.machines, stats.used_pct),
        ),
        ("running", stats.running.to_string()),
        ("waiting", format!("{} (P0/P1/P2)", waiting.join("/"))),
        (
            "submitted",
            format!("{}, {} of them refused", stats.submitted, stats.refused),
        ),
        ("done", stats.done.to_string()),
        ("missed", stats.missed.to_string()),
        ("failed", stats.failed.to_string()),
        ("cancelled", stats.cancelled.to_string()),
        ("displaced", format!("{} by alerts", stats.preempted)),
        ("moved", format!("{} to emptier nodes", stats.migrated)),
        ("lost", format!("{} with their node", stats.lost)),
        (
            "stolen",
            format!(
                "{} times, {} tries",
                stats.steal_successes, stats.steal_attempts
            ),
        ),
        (
            "last tick",
            format!("{} us, {} ago", stats.tick_us, span(stats.looked_ms_ago)),
        ),
    ];
    let lines = rows.map(|(name, value)| format!("{name:<10} {value}\n"));
    lines.concat()
}
