//! `orrery apply`: wish for what a file says.

use std::time::Duration;

use clap::Args;
use client::scheduling::{ApplyArgs, ApplyReply};

use super::healthy_cell;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Table};
use crate::session::Session;
use crate::spec_file::SpecFile;

/// Wish for the services that a file describes; all of them or none.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery apply echo.toml
  orrery apply echo.toml --wait 30s
  cat fleet.toml | orrery apply -
  orrery plan echo.toml              what it would cause

A file has one spec at the top level, or several as [[service]]:
  name = \"hello\"
  replicas = 2
  [artifact.command]
  program = \"/usr/bin/python3\"
  args = [\"-m\", \"http.server\"]
  [probes.readiness]
  kind = \"tcp\"")]
pub(crate) struct Apply {
    /// TOML; - is stdin.
    file: String,
    /// Wait until every one of these services is as wished, at most this long.
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    wait: Option<Duration>,
}

impl Apply {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let file = SpecFile::read(&self.file)?;
        let wait = self.wait.unwrap_or_default();
        let args = ApplyArgs {
            spec: file.checked()?.to_owned(),
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        };
        let mut options = session.options();
        if options.timeout.is_none() && !wait.is_zero() {
            // The call lasts as long as the wait, and a moment for the answer.
            options.timeout = Some(wait + Duration::from_secs(10));
        }
        let call = session.scheduling().with(options);
        let reply = session
            .ask(call.apply(&args))
            .await
            .map_err(|failure| file.locate(failure))?;
        session.out.list(&reply.services, || table(&reply))?;
        let names: Vec<&str> = reply.services.iter().map(|s| s.name.as_str()).collect();
        if !reply.changed {
            session
                .out
                .say("nothing changed: this was wished for already");
        }
        if self.wait.is_some() && !reply.converged {
            let what = format!("not as wished after {}", dashboard::span(args.wait_ms));
            let next = format!("orrery explain {}", names.first().unwrap_or(&"SERVICE"));
            return Err(Failure::new(Exit::Timeout, what).hint(next));
        }
        if let Some(first) = names.first() {
            session
                .out
                .suggest("watch it", format!("orrery ps {first}"));
        }
        Ok(())
    }
}

fn table(reply: &ApplyReply) -> Table {
    let mut table = Table::new(&["SERVICE", "HEALTHY", "REVISION", "WHAT RUNS", "WAITS FOR"]);
    for service in &reply.services {
        table.row([
            Cell::new(&service.name),
            healthy_cell(service),
            Cell::number(service.spec_revision),
            Cell::new(&service.artifact),
            Cell::new(service.waiting.first().map_or("", String::as_str)),
        ]);
    }
    table
}
