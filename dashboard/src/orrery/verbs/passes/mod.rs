//! `orrery passes`: jobs with deadlines.

mod chart;
mod day;
mod inputs;
mod look;
mod network;
mod plan;
mod predict;
mod simulate;
mod submit;
mod svg;

use clap::{Args, Subcommand};
use client::passes::{CancelArgs, PassesClient};

use crate::failure::Failure;
use crate::session::Session;

/// Submit jobs with deadlines, and see what becomes of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery passes submit --due 10m --runtime 4m --cpu 2000 --tag station=svalbard-1 -- demodulate
  orrery passes submit --file jobs.json       a batch: [{...}, {...}], as `submit` takes them
  orrery passes list --phase waiting
  orrery passes watch 17 18                   until both are over
  orrery passes cancel 17
  orrery passes stats
  orrery passes simulate --jobs 5600          a day of it, here and now
  orrery passes predict --tle sats.tle --stations stations.csv
  orrery passes plan --tle sats.tle --stations stations.csv --requests day.csv --from 2026-05-31
  orrery passes plan --satnet problems.json --week W20")]
pub(crate) struct Passes {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Submit(Box<submit::Submit>),
    List(look::List),
    Watch(look::Watch),
    /// Stop jobs, or forget those that wait.
    Cancel {
        /// Which.
        #[arg(required = true)]
        ids: Vec<u64>,
    },
    /// Show how the scheduler is doing.
    Stats,
    Simulate(simulate::Simulate),
    Predict(predict::Predict),
    Plan(Box<plan::Plan>),
}

impl Passes {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.what {
            What::Submit(submit) => submit.run(session).await,
            What::List(list) => list.run(session).await,
            What::Watch(watch) => watch.run(session).await,
            What::Cancel { ids } => cancel(session, &ids).await,
            What::Stats => look::stats(session).await,
            What::Simulate(simulate) => simulate.run(session),
            What::Predict(predict) => predict.run(session),
            What::Plan(plan) => plan.run(session).await,
        }
    }
}

async fn client(session: &Session) -> Result<PassesClient, Failure> {
    session.ask(session.fleet.passes()).await
}

async fn cancel(session: &Session, ids: &[u64]) -> Result<(), Failure> {
    let passes = client(session).await?;
    for id in ids {
        let job = passes.cancel(&CancelArgs { id: *id }).await?;
        session.out.one(&job, || format!("job {id}: cancelled"))?;
    }
    Ok(())
}
