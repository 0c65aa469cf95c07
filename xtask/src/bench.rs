//! `cargo xtask bench`: hands its arguments to the benchmarks, built as a release.

use crate::step::Step;
use crate::{Command, Invocation};

/// With the peers that ours is measured beside; only here are they built.
const COMMAND_LINE: &str = "run --release --package benchmarks --features peers --";

pub(crate) const COMMAND: Command = Command {
    name: "bench",
    summary: "run the benchmarks (release build); arguments are passed on",
    help: "cargo xtask bench [arguments of the benchmarks...]

Builds package `benchmarks` in release mode and runs it; results are a table on stdout.
The same as `cargo run --release -p benchmarks --features peers -- ...`.

Examples:
  cargo xtask bench
  cargo xtask bench rpc --quick
  cargo xtask bench -- --help      the benchmarks' own help",
    run,
};

fn run(invocation: &Invocation) -> Result<(), String> {
    let mut step = Step::cargo("bench", COMMAND_LINE);
    let passed = invocation.arguments.iter();
    step.arguments
        .extend(passed.skip_while(|word| *word == "--").cloned());
    step.run(&invocation.root)
        .map_err(|why| format!("`{}` {why}", step.line()))
}
