//! `passes simulate`: a day on the terminal, without a fleet.

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use passes::simulation::{LOADS, Options, TARGET, curve, run};

/// The pass window scheduler. Without a command it is the service.
#[derive(Parser)]
#[command(name = "passes", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Simulates a day of passes. Same options, same day.
    Simulate(Day),
}

#[derive(clap::Args)]
struct Day {
    /// How many jobs come in the 24 hours.
    #[arg(long, default_value_t = passes::simulation::JOBS)]
    jobs: u32,
    /// How many machines there are; 90, or more when there are more than 11,200 jobs.
    #[arg(long)]
    machines: Option<u32>,
    /// How many workers decide.
    #[arg(long, default_value_t = 8)]
    workers: usize,
    /// How much of each machine is kept for alerts, in percent.
    #[arg(long, default_value_t = 15)]
    headroom: u32,
    /// What the day is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The same machines under 1 to 16 times the load, beside simpler schedulers and a bound.
    #[arg(long)]
    curve: bool,
}

/// Does what the command line says, if it names a command. Anything else is for the service.
pub(crate) fn asked() -> Option<ExitCode> {
    let first = std::env::args_os().nth(1)?;
    if first != "simulate" {
        return None;
    }
    let Command::Simulate(day) = Cli::parse().command;
    Some(simulate(&day))
}

fn simulate(day: &Day) -> ExitCode {
    let mut options = Options::new(day.jobs);
    options.machines = day.machines.unwrap_or(options.machines);
    options.workers = day.workers;
    options.headroom_pct = day.headroom;
    options.seed = day.seed;
    let start = Instant::now();
    let met = if day.curve {
        println!("{}", curve(options, LOADS));
        true
    } else {
        let day = run(options);
        println!("{day}");
        day.compliance() >= TARGET
    };
    // Not on stdout: that is the same whenever the options are.
    eprintln!("simulated in {:.3} s", start.elapsed().as_secs_f64());
    ExitCode::from(u8::from(!met))
}
