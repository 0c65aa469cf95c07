//! `orrery passes plan`: which antenna takes which pass.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::chart::Chart;
use super::inputs::{Usual, moment};
use super::{day, network, svg};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// Plan which antenna takes which pass: simple rules, ours and the upper bound side by side.
///
/// Every plan is held against a checker that shares nothing with what made it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery passes plan --tle sats.tle --stations stations.csv --requests day.csv --from 2026-05-31
  orrery passes plan ... --antennas 2 --svg day.svg
  orrery passes plan ... -o json | jq '.impossible'
  orrery passes plan ... --submit --grace 10m --cpu 2000 -- demodulate --fast
  orrery passes plan --satnet problems.json --week W20

Requests are a table with commas: satellite,window_start_s,window_end_s (seconds after --from) and,
if wanted, request_id,weight,contact_min_s. With --satnet a week of NASA's Deep Space Network, as in
the SatNet data set, beside what others reached.")]
pub(super) struct Plan {
    /// Two-line elements of the satellites.
    #[arg(long, value_name = "FILE", required_unless_present = "satnet")]
    pub(super) tle: Option<PathBuf>,
    /// The stations, as CSV.
    #[arg(long, value_name = "FILE", required_unless_present = "satnet")]
    pub(super) stations: Option<PathBuf>,
    /// What is asked for, as CSV.
    #[arg(long, value_name = "FILE", required_unless_present = "satnet")]
    pub(super) requests: Option<PathBuf>,
    /// What the seconds of the requests count from.
    #[arg(long, value_parser = moment, value_name = "MOMENT", required_unless_present = "satnet")]
    pub(super) from: Option<i64>,
    /// Antennas of a station, unless the table says.
    #[arg(long, default_value_t = 1)]
    pub(super) antennas: usize,
    /// How long an antenna is busy before a contact, unless the table says; not at all when absent.
    #[arg(long, value_parser = crate::duration::parse)]
    pub(super) setup: Option<Duration>,
    /// How long it is busy after one, unless the table says.
    #[arg(long, value_parser = crate::duration::parse, default_value = "1m")]
    pub(super) teardown: Duration,
    /// A shorter pass is of no use, unless the request says.
    #[arg(long, value_parser = crate::duration::parse, default_value = "5m")]
    pub(super) contact_min: Duration,
    #[command(flatten)]
    pub(super) usual: Usual,
    /// A file with weeks of the Deep Space Network (problems.json).
    #[arg(long, value_name = "FILE", requires = "week",
        conflicts_with_all = ["tle", "stations", "requests", "from", "submit"])]
    pub(super) satnet: Option<PathBuf>,
    /// Which week of it, as in W20_2018, W20 or 20.
    #[arg(long, requires = "satnet")]
    pub(super) week: Option<String>,
    /// The antennas' maintenance; maintenance.csv beside the weeks when absent.
    #[arg(long, value_name = "FILE", requires = "satnet")]
    pub(super) maintenance: Option<PathBuf>,
    /// How long to search: 3,000,000 for a day and 1,000,000 for a week when absent.
    #[arg(long)]
    pub(super) steps: Option<u64>,
    /// What the search is drawn from: same input, steps and seed, same plan.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Draw the plan into this file, by station.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Submit a job for each contact of the plan, which runs the program.
    #[arg(long, requires = "program")]
    pub(super) submit: bool,
    /// How long after its pass a job may end.
    #[arg(long, value_parser = crate::duration::parse, default_value = "10m")]
    pub(super) grace: Duration,
    /// Thousandths of a core that a job holds.
    #[arg(long, default_value_t = 1_000)]
    pub(super) cpu: u32,
    /// Mebibytes that it holds.
    #[arg(long, default_value_t = 256)]
    pub(super) memory: u32,
    /// GPUs that it holds.
    #[arg(long, default_value_t = 0)]
    pub(super) gpus: u32,
    /// The program of a job and its arguments.
    #[arg(last = true, requires = "submit")]
    pub(super) program: Vec<String>,
}

impl Plan {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        match (&self.satnet, &self.week) {
            (Some(file), Some(week)) => network::run(&self, file, week, session),
            _ => day::run(&self, session).await,
        }
    }

    /// Draws the chart, if that was asked for.
    pub(super) fn draw(&self, chart: &Chart, session: &Session) -> Result<(), Failure> {
        let Some(file) = &self.svg else {
            return Ok(());
        };
        std::fs::write(file, svg::svg(chart)).map_err(|e| {
            let what = format!("failed to write {}: {e}", file.display());
            Failure::new(Exit::Failed, what)
        })?;
        let drawn = format!("the plan is drawn in {}", file.display());
        session.out.say(drawn);
        Ok(())
    }

    /// One of the arguments that clap has made sure of.
    pub(super) fn given<'a, T>(&self, value: &'a Option<T>) -> Result<&'a T, Failure> {
        let missing = || Failure::new(Exit::Usage, "an argument is missing");
        value.as_ref().ok_or_else(missing)
    }
}
