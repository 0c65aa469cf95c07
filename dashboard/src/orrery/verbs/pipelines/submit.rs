//! `orrery pipelines submit`: a job from a program.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::Duration;

use clap::Args;
use client::pipelines::SubmitArgs;

use super::{Wait, client};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// Start a job. To submit the same program under the same name again changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery pipelines submit clicks clicks.sql --wait
  orrery pipelines submit clicks clicks.sql --checkpoint-every 1s --env RUST_LOG=debug
  orrery pipelines submit look preview.sql --for 30s
  generate-plan | orrery pipelines submit clicks -")]
pub(super) struct Submit {
    /// What it is called: a-z, 0-9 and -.
    name: String,
    /// A file with the program, as SQL or as a JSON plan; - is stdin. docs/pipelines.md has both.
    program: String,
    /// From one checkpoint to the next [default: 10s].
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    checkpoint_every: Option<Duration>,
    /// A preview: it ends after so long, and is not recovered.
    #[arg(long = "for", value_name = "DURATION", value_parser = crate::duration::parse)]
    ttl: Option<Duration>,
    /// A variable of its workers; more than once for several.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    #[command(flatten)]
    wait: Wait,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Submit {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let args = SubmitArgs {
            plan: read(&self.program)?,
            name: self.name,
            checkpoint_interval_ms: self.checkpoint_every.map(ms),
            ttl_ms: self.ttl.map(ms),
            env: BTreeMap::from_iter(self.env),
        };
        let client = client(session).await?;
        let job = client.submit(&args).await?;
        let is =
            |job: &client::pipelines::JobInfo| matches!(job.state.as_str(), "running" | "finished");
        self.wait.until(session, &client, job, is).await
    }
}

fn read(path: &str) -> Result<String, Failure> {
    let read = if path == "-" {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    read.map_err(|error| {
        let exit = match error.kind() {
            io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failed,
        };
        Failure::new(exit, format!("failed to read {path}: {error}"))
    })
}
