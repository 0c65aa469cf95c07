//! `orrery`: the fleet from the command line.
//!
//! Data goes to stdout and words to stderr; exit codes are a contract ([`exit::Exit`]). Each verb
//! is a file under `verbs/`, with its arguments, what it does and how it shows the answer. What
//! the fleet is and does, scheduling says; nothing is decided here.

mod cli;
mod confirm;
mod duration;
mod exit;
mod failure;
mod names;
mod output;
mod schema;
mod session;
mod spec_file;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) if failure.is_closed_pipe() => Exit::Ok.into(),
        Err(failure) => {
            output::report(&failure);
            failure.exit.into()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Failed, format!("failed to start: {e}")))?;
    chassis::trust::show_operator_token();
    let (session, verb) = cli.into_session();
    let outcome = runtime.block_on(verb.run(&session));
    // A thread that waits for a key must not keep the process from ending.
    runtime.shutdown_background();
    outcome
}
