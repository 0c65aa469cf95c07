//! What the fleet costs, measured beside its peers and its ceilings.
//!
//! `cargo xtask bench [WHAT] [--quick] [--write]`; `--help` lists what there is. Results are tables
//! on stdout, progress goes to stderr. What is compared runs in the same minute, in interleaved
//! rounds, and tables show medians: on a machine that does other things too, only ratios last.

mod against;
mod arguments;
mod boot;
mod calls;
mod child;
mod cpu;
mod fleet;
mod idle;
mod instances;
mod machine;
mod peers;
mod placements;
mod replacement;
mod report;
mod store_commits;
mod streams;
mod units;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::report::Report;

/// What a benchmark fails with: a person reads it at once, so a chain of words is enough.
type Failure = Box<dyn std::error::Error + Send + Sync>;

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
    let mut report = Report::new(arguments.quick);
    for what in arguments.wanted() {
        report.add(what.benchmark())?;
    }
    if arguments.write {
        report.write()
    } else {
        Ok(())
    }
}
