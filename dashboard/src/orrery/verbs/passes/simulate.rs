//! `orrery passes simulate`: a day of passes, here and now, without a fleet.

use clap::Args;
use client::passes::simulation::{JOBS, LOADS, Options, TARGET, curve_watched, run_watched};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// Simulate a day of passes, without a fleet. Same options, same day.
///
/// Exit code 1 if fewer than 99.9 % are in time.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery passes simulate
  orrery passes simulate --jobs 5600 --seed 7
  orrery passes simulate --curve              1 to 16 times the load, beside simpler schedulers")]
pub(super) struct Simulate {
    /// How many jobs come in the 24 hours.
    #[arg(long, default_value_t = JOBS)]
    jobs: u32,
    /// How many machines there are; 90, or more when there are more than 11,200 jobs.
    #[arg(long)]
    machines: Option<u32>,
    /// What the day is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The same machines under more and more load, beside simpler schedulers and a bound.
    #[arg(long)]
    curve: bool,
}

impl Simulate {
    pub(super) fn run(self, session: &Session) -> Result<(), Failure> {
        let usual = Options::new(self.jobs);
        let options = Options {
            machines: self.machines.unwrap_or(usual.machines),
            seed: self.seed,
            ..usual
        };
        if self.curve {
            let curve = {
                let mut progress = session.out.progress("simulating");
                curve_watched(options, LOADS, &mut |done, all| progress.at(done, all))
            };
            return session.out.text(&format!("{curve}\n"));
        }
        let day = {
            let mut progress = session.out.progress("simulating");
            run_watched(options, &mut |done, all| progress.at(done, all))
        };
        session.out.text(&format!("{day}\n"))?;
        if day.compliance() < TARGET {
            return Err(Failure::new(Exit::Failed, "the target is missed"));
        }
        Ok(())
    }
}
