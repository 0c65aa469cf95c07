//! `orrery release start`: a service to another version.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use client::release::{CanaryStep, CreateArgs, Program, Strategy, Version};
use client::scheduling::GetServiceArgs;
use model::{Artifact, ServiceSpec};

use super::{client, look, said};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// Begin to take a service to another version: batch after batch, unless told otherwise.
///
/// It goes back by itself when the new version does not become healthy, dies, or answers worse.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery release start echo --bin server_v2 --watch
  orrery release start echo --bin server_v2 --batch 5 --settle 10s
  orrery release start echo --bin server_v2 --canary 5%:10m,50%:10m
  orrery release start echo --bin server_v2 --blue-green 5m
  orrery release start web --env LEVEL=2 -- /opt/web/2.0/serve")]
pub(super) struct Start {
    /// Which service.
    service: String,
    /// The binary of the Cargo package that the service runs now, or of --manifest-path.
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "program",
        required_unless_present = "program"
    )]
    bin: Option<String>,
    /// Another Cargo package; a relative path counts from where scheduling runs.
    #[arg(long, value_name = "FILE", requires = "bin")]
    manifest_path: Option<String>,
    /// A variable of its environment; more than once for several.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Parts of the service first, each watched for a while: 5%:10m,50%:10m.
    #[arg(long, value_name = "STEPS", value_parser = canary_step, value_delimiter = ',')]
    canary: Vec<CanaryStep>,
    /// A whole second set beside the first for so long, then the old one goes.
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = crate::duration::parse,
        conflicts_with = "canary"
    )]
    blue_green: Option<Duration>,
    /// Replicas in one step; a tenth of them by default.
    #[arg(long)]
    batch: Option<u32>,
    /// For how long a step must be well before the next; 1s by default.
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    settle: Option<Duration>,
    /// How long no further replica may become well before it goes back; 1m by default.
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    patience: Option<Duration>,
    /// Wait for `orrery release advance` at each step.
    #[arg(long)]
    by_hand: bool,
    /// Show how it goes until it is over; exit code 1 if it did not get there.
    #[arg(short, long)]
    watch: bool,
    /// Another program with its arguments.
    #[arg(last = true)]
    program: Vec<String>,
}

impl Start {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let program = self.program(session).await?;
        let strategy = match self.blue_green {
            Some(keep) => Strategy::BlueGreen {
                keep_ms: millis(keep),
            },
            None if self.canary.is_empty() => Strategy::Rolling,
            None => Strategy::Canary(self.canary),
        };
        let env: BTreeMap<String, String> = self.env.into_iter().collect();
        let args = CreateArgs {
            batch: self.batch,
            settle_ms: self.settle.map(millis),
            progress_ms: self.patience.map(millis),
            by_hand: self.by_hand,
            ..CreateArgs::new(self.service, Version { program, env }, strategy)
        };
        let releases = client(session).await?;
        let asked = releases.create(&args);
        let release = session.ask_about(&args.service, asked).await?;
        if self.watch {
            return look::follow(session, release.id).await;
        }
        said(session, &release)
    }

    async fn program(&self, session: &Session) -> Result<Program, Failure> {
        if let Some((program, args)) = self.program.split_first() {
            let (program, args) = (program.clone(), args.to_vec());
            return Ok(Program::Command { program, args });
        }
        let manifest_path = match &self.manifest_path {
            Some(path) => path.clone(),
            None => self.present_package(session).await?,
        };
        let bin_name = self.bin.clone().unwrap_or_default();
        Ok(Program::Cargo {
            manifest_path,
            bin_name,
        })
    }

    /// The Cargo package that the service runs now.
    async fn present_package(&self, session: &Session) -> Result<String, Failure> {
        let name = self.service.clone();
        let call = session.scheduling();
        let args = GetServiceArgs { name };
        let asked = call.get_service(&args);
        let reply = session.ask_about(&self.service, asked).await?;
        let spec: Result<ServiceSpec, _> = toml::from_str(&reply.spec);
        match spec.map(|spec| spec.artifact) {
            Ok(Artifact::Cargo { manifest_path, .. }) => Ok(manifest_path),
            _ => {
                let what = format!("{} runs no Cargo package now", self.service);
                Err(Failure::new(Exit::Usage, what)
                    .hint("say which: --manifest-path FILE; or give a program after `--`"))
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name is empty: write it as NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Reads `5%:10m`.
fn canary_step(text: &str) -> Result<CanaryStep, String> {
    let example = "write it as 5%:10m: percent of the replicas, and for how long";
    let (percent, hold) = text.split_once(':').ok_or(example)?;
    let percent = percent.strip_suffix('%').unwrap_or(percent);
    let percent: u32 = percent.parse().map_err(|_| example)?;
    if !(1..=100).contains(&percent) {
        return Err(format!("{percent} % is not between 1 and 100"));
    }
    let hold_ms = millis(crate::duration::parse(hold)?);
    Ok(CanaryStep { percent, hold_ms })
}

#[cfg(test)]
mod tests {
    use client::release::CanaryStep;

    use super::{canary_step, variable};

    #[test]
    fn a_step_of_a_canary_is_a_part_and_a_time() {
        let step = CanaryStep {
            percent: 5,
            hold_ms: 600_000,
        };
        assert_eq!(canary_step("5%:10m"), Ok(step));
        assert_eq!(canary_step("5:10m"), Ok(step));
        for wrong in ["5%", "0%:10m", "101%:10m", "x%:10m", "5%:10", ":"] {
            assert!(canary_step(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_variable_has_a_name_and_may_be_empty() {
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(variable("LEVEL=2"), pair("LEVEL", "2"));
        assert_eq!(variable("A=b=c"), pair("A", "b=c"));
        assert_eq!(variable("A="), pair("A", ""));
        assert!(variable("A").is_err());
        assert!(variable("=b").is_err());
    }
}
