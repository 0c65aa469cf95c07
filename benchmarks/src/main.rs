//! What the fleet costs, measured beside its peers and its ceilings.
//!
//! `cargo xtask bench [rpc]... [--quick] [--write]`. Results are tables on stdout; progress goes
//! to stderr. Whatever is compared runs in the same minute, in interleaved rounds, and the table
//! shows medians: on a machine that does other things too, only ratios last.

mod calls;
mod child;
mod cpu;
mod machine;
mod report;
mod units;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::child::Role;
use crate::report::Report;

/// Measures the fleet beside its peers and its ceilings.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Arguments {
    /// What to measure; everything when absent.
    #[arg(value_enum)]
    what: Vec<What>,
    /// Fewer points and shorter rounds: for a look while tuning, not for the record.
    #[arg(long)]
    quick: bool,
    /// Write the tables to docs/benchmarks.md too.
    #[arg(long)]
    write: bool,
    /// Be a server instead: how this program starts its own children.
    #[arg(long, hide = true)]
    serve: Option<Role>,
    /// The core that the server stays on.
    #[arg(long, hide = true)]
    core: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum What {
    /// Calls per second and latency, beside raw TCP, tonic and tarpc.
    Rpc,
    /// All of them.
    All,
}

/// What a benchmark fails with: it is read by a person at once, so a chain of words is enough.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.serve {
        Some(role) => child::serve(role, arguments.core),
        None => measure(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let all = arguments.what.is_empty() || arguments.what.contains(&What::All);
    let wanted = |what| all || arguments.what.contains(&what);
    let mut report = Report::new(arguments.quick);
    if wanted(What::Rpc) {
        report.add(calls::measure(arguments.quick)?);
    }
    if arguments.write {
        report.write()?;
    }
    Ok(())
}
