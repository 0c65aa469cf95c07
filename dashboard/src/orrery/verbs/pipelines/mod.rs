//! `orrery pipelines`: streaming jobs.

mod look;
mod submit;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use client::pipelines::{
    JobArgs, JobInfo, PipelinesClient, RescaleArgs, RestartArgs, RestartMode, StopArgs, StopMode,
};
use tokio::time::{Instant, sleep};

use crate::confirm::Confirm;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// How often a job is looked at that is waited for.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a job is waited for, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Run streaming jobs: start, look at, rescale, stop with a checkpoint, and go on from there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery pipelines submit clicks clicks.sql --wait
  orrery pipelines list
  orrery pipelines show clicks               workers, parallelism, what each task counts
  orrery pipelines rescale clicks '*=4' --wait
  orrery pipelines stop clicks               with a last checkpoint
  orrery pipelines restart clicks            goes on from there
  orrery pipelines why clicks
  orrery pipelines logs clicks -f")]
pub(crate) struct Pipelines {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Submit(submit::Submit),
    /// List all jobs.
    List,
    Show(look::Show),
    Stop(Stop),
    Rescale(Rescale),
    Restart(Restart),
    Why(look::Why),
    Logs(look::Logs),
    Checkpoints(look::Checkpoints),
    Delete(Delete),
}

/// Stop a job. Without a mode after a last checkpoint, from which a restart goes on.
#[derive(Debug, Args)]
struct Stop {
    /// Which job.
    name: String,
    /// How.
    #[arg(long, value_enum, default_value_t = Mode::Checkpoint)]
    mode: Mode,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// After a last checkpoint, from which it can go on.
    Checkpoint,
    /// What was read flows to the sinks; no checkpoint, and no window that is still open.
    Graceful,
    /// All tasks end now.
    Immediate,
    /// Its workers are killed.
    Force,
}

/// Run a job at other parallelisms, from a last checkpoint on.
#[derive(Debug, Args)]
struct Rescale {
    /// Which job.
    name: String,
    /// STAGE=SUBTASKS; '*=4' are all stages that are not named.
    #[arg(required = true, value_parser = stage)]
    parallelism: Vec<(String, u32)>,
    #[command(flatten)]
    wait: Wait,
}

/// Start a job again: one that runs, one that stopped, or one that failed.
#[derive(Debug, Args)]
struct Restart {
    /// Which job.
    name: String,
    /// At once, from the last checkpoint there is; otherwise one that runs takes a last one.
    #[arg(long)]
    force: bool,
    /// Restore no checkpoint of a lower epoch than this.
    #[arg(long, value_name = "EPOCH")]
    ignore_before: Option<u64>,
    #[command(flatten)]
    wait: Wait,
}

/// Forget a job that has ended, with its checkpoints.
#[derive(Debug, Args)]
struct Delete {
    /// Which job.
    name: String,
    #[command(flatten)]
    confirm: Confirm,
}

/// Whether to return only when the job is as it was asked to be.
#[derive(Debug, Args)]
struct Wait {
    /// Return when it is as asked, or cannot be (a minute at most; --timeout says otherwise).
    #[arg(short, long)]
    wait: bool,
}

fn stage(text: &str) -> Result<(String, u32), String> {
    let expected = "write it as STAGE=4, or as '*=4' for all";
    let (stage, count) = text.split_once('=').ok_or(expected)?;
    let count = count.trim().parse();
    let count = count.map_err(|_| format!("{text:?} has no number: {expected}"))?;
    Ok((stage.trim().to_owned(), count))
}

impl Pipelines {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.what {
            What::Submit(submit) => submit.run(session).await,
            What::List => look::list(session).await,
            What::Show(show) => show.run(session).await,
            What::Stop(stop) => stop.run(session).await,
            What::Rescale(rescale) => rescale.run(session).await,
            What::Restart(restart) => restart.run(session).await,
            What::Why(why) => why.run(session).await,
            What::Logs(logs) => logs.run(session).await,
            What::Checkpoints(checkpoints) => checkpoints.run(session).await,
            What::Delete(delete) => delete.run(session).await,
        }
    }
}

impl Stop {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let mode = match self.mode {
            Mode::Checkpoint => StopMode::Checkpoint,
            Mode::Graceful => StopMode::Graceful,
            Mode::Immediate => StopMode::Immediate,
            Mode::Force => StopMode::Force,
        };
        let client = client(session).await?;
        let name = self.name;
        let job = client.stop(&StopArgs { name, mode }).await?;
        self.wait.until(session, &client, job, has_ended).await
    }
}

impl Rescale {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let client = client(session).await?;
        let args = RescaleArgs {
            name: self.name,
            parallelism: BTreeMap::from_iter(self.parallelism),
        };
        let before = client.show(&JobArgs::new(&args.name)).await?.generation;
        let job = client.rescale(&args).await?;
        let is = |job: &JobInfo| job.generation > before && job.state == "running";
        self.wait.until(session, &client, job, is).await
    }
}

impl Restart {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let client = client(session).await?;
        let mode = match self.force {
            true => RestartMode::Force,
            false => RestartMode::Safe,
        };
        let args = RestartArgs {
            name: self.name,
            mode,
            ignore_state_before_epoch: self.ignore_before,
        };
        let before = client.show(&JobArgs::new(&args.name)).await?.generation;
        let job = client.restart(&args).await?;
        let is = |job: &JobInfo| job.generation > before && job.state == "running";
        self.wait.until(session, &client, job, is).await
    }
}

impl Delete {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let name = self.name;
        let question = format!("{name} is forgotten, with its checkpoints.");
        self.confirm.ask(&session.out, &question)?;
        let reply = client(session).await?.delete(&JobArgs::new(&name)).await?;
        session.out.one(&reply, || format!("{name}: forgotten"))
    }
}

impl Wait {
    /// Shows the job: at once, or when it is as asked.
    async fn until(
        &self,
        session: &Session,
        client: &PipelinesClient,
        mut job: JobInfo,
        is: impl Fn(&JobInfo) -> bool,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + session.timeout.unwrap_or(PATIENCE);
        let args = JobArgs::new(&job.name);
        while self.wait && !is(&job) {
            let next = format!("orrery pipelines why {}", job.name);
            // What was asked for cannot come any more.
            if job.state == "failed" {
                let why = job.failure.unwrap_or_default();
                let what = format!("{} has failed: {why}", job.name);
                return Err(Failure::new(Exit::Failed, what).hint(next));
            }
            if Instant::now() > deadline {
                let what = format!("{} is still {}", job.name, job.state);
                return Err(Failure::new(Exit::Timeout, what).hint(next));
            }
            sleep(PAUSE).await;
            job = client.show(&args).await?;
        }
        session.out.one(&job, || look::sentence(&job))?;
        if !self.wait {
            let next = format!("orrery pipelines show {}", job.name);
            session.out.suggest("look at it", next);
        }
        Ok(())
    }
}

fn has_ended(job: &JobInfo) -> bool {
    matches!(job.state.as_str(), "stopped" | "finished" | "failed")
}

async fn client(session: &Session) -> Result<PipelinesClient, Failure> {
    session.ask(session.fleet.pipelines()).await
}
