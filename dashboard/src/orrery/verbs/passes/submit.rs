//! `orrery passes submit`: one job, or a batch.

use std::io::Read as _;
use std::time::Duration;

use clap::Args;
use client::passes::{JobSpec, Program, SubmitArgs, Submitted, WhenLate};

use super::client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Table, Tone};
use crate::session::Session;

/// Submit a program that has to have ended by a deadline, or a file of them.
///
/// Exit code 5 if one is refused; the others are accepted all the same.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery passes submit --due 10m --runtime 4m --tag station=svalbard-1 -- demodulate --fast
  orrery passes submit --class 0 --due 1m --runtime 10s -- sh -c 'page the operator'
  orrery passes submit --file jobs.json
  orrery describe passes submit               what a job in a file may have")]
pub(super) struct Submit {
    /// JSON: an array of jobs; - is stdin.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["program", "due", "runtime"])]
    file: Option<String>,
    /// When it has to be done, from now, as in 10m.
    #[arg(long, value_parser = crate::duration::parse, required_unless_present = "file")]
    due: Option<Duration>,
    /// How long it is expected to run, as in 4m.
    #[arg(long, value_parser = crate::duration::parse, required_unless_present = "file")]
    runtime: Option<Duration>,
    /// 0: alert, 1: pass, 2: batch.
    #[arg(long, default_value_t = 1)]
    class: u8,
    /// Whose share it is counted to, and where it runs if it can.
    #[arg(long, default_value = "default")]
    region: String,
    /// Thousandths of a core that it holds.
    #[arg(long, default_value_t = 1_000)]
    cpu: u32,
    /// Mebibytes that it holds.
    #[arg(long, default_value_t = 256)]
    memory: u32,
    /// GPUs that it holds.
    #[arg(long, default_value_t = 0)]
    gpus: u32,
    /// A label that its node has to have; more than once for several.
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    tags: Vec<String>,
    /// Your own name for it: submitting it again is submitting it once.
    #[arg(long, default_value = "", hide_default_value = true)]
    key: String,
    /// Let it go on when it is late.
    #[arg(long)]
    finish_late: bool,
    /// The program and its arguments.
    #[arg(last = true, required_unless_present = "file")]
    program: Vec<String>,
}

impl Submit {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let jobs = match &self.file {
            Some(file) => read(file)?,
            None => vec![self.job(session.now_ms())?],
        };
        let passes = client(session).await?;
        let results = passes.submit(&SubmitArgs { jobs }).await?.results;
        session.out.list(&results, || table(&results))?;
        let refused = results
            .iter()
            .filter(|r| matches!(r, Submitted::Refused { .. }))
            .count();
        if refused > 0 {
            let what = format!(
                "{refused} of {} refused",
                super::super::count(results.len(), "job")
            );
            return Err(Failure::new(Exit::Refused, what).hint("orrery passes stats"));
        }
        if let Some(Submitted::Accepted { id }) = results.first() {
            session
                .out
                .suggest("watch it", format!("orrery passes watch {id}"));
        }
        Ok(())
    }

    fn job(&self, now_ms: u64) -> Result<JobSpec, Failure> {
        let millis = |duration: Option<Duration>| {
            let millis = duration.unwrap_or_default().as_millis();
            u64::try_from(millis).unwrap_or(u64::MAX)
        };
        let Some((program, args)) = self.program.split_first() else {
            return Err(Failure::new(
                Exit::Usage,
                "there is no program: put it after `--`",
            ));
        };
        Ok(JobSpec {
            key: self.key.clone(),
            region: self.region.clone(),
            priority_class: self.class,
            deadline_ms: now_ms.saturating_add(millis(self.due)),
            estimated_runtime_ms: millis(self.runtime),
            cpu_millicores: self.cpu,
            memory_mb: self.memory,
            gpu_count: self.gpus,
            required_tags: self.tags.clone(),
            program: Program::Command {
                program: program.clone(),
                args: args.to_vec(),
            },
            env: Default::default(),
            when_late: if self.finish_late {
                WhenLate::Finish
            } else {
                WhenLate::Stop
            },
        })
    }
}

fn read(file: &str) -> Result<Vec<JobSpec>, Failure> {
    let mut text = String::new();
    let read = if file == "-" {
        std::io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    read.map_err(|e| Failure::new(Exit::Failed, format!("failed to read {file}: {e}")))?;
    serde_json::from_str(&text).map_err(|e| {
        Failure::new(Exit::Usage, format!("{file} is no array of jobs: {e}"))
            .hint("orrery describe passes submit")
    })
}

fn table(results: &[Submitted]) -> Table {
    let mut table = Table::new(&["JOB", "RESULT", "WHY"]);
    for result in results {
        table.row(match result {
            Submitted::Accepted { id } => [
                Cell::number(id),
                Cell::new("accepted").tone(Tone::Good),
                Cell::new(""),
            ],
            Submitted::Refused { why } => [
                Cell::number("-"),
                Cell::new("refused").tone(Tone::Bad),
                Cell::new(why),
            ],
        });
    }
    table
}
