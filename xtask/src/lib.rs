//! The project's own commands, so that one machine's verdict is every machine's verdict.
//!
//! - `cargo xtask check`: formatting, lints, docs, licences and the rules of [`tidy`];
//! - `cargo xtask tidy`: only our own rules (budgets, arrows, purity, procedures);
//! - `cargo xtask test`: from a machine with only Rust to a verdict on every test;
//! - `cargo xtask bench`: the benchmarks, built as they are released.
//!
//! Progress goes to stderr; the exit code is 0 or 1 and nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

mod bench;
mod check;
mod packages;
mod runner;
mod step;
mod test;
pub mod tidy;

/// One command: how it is called, what it says about itself, and what it does.
struct Command {
    name: &'static str,
    summary: &'static str,
    help: &'static str,
    run: fn(&Invocation) -> Result<(), String>,
}

/// What a command gets: where the workspace is, and the words after the command's name.
struct Invocation {
    root: PathBuf,
    arguments: Vec<String>,
}

const COMMANDS: &[Command] = &[check::COMMAND, tidy::COMMAND, test::COMMAND, bench::COMMAND];

/// Runs the command that `arguments` name, and turns its outcome into an exit code.
pub fn run(arguments: &[String]) -> ExitCode {
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<(), String> {
    let Some((name, rest)) = arguments.split_first() else {
        return Err(format!("no command given\n{}", overview()));
    };
    if matches!(name.as_str(), "--help" | "-h" | "help") {
        println!("{}", overview());
        return Ok(());
    }
    let command = COMMANDS
        .iter()
        .find(|command| command.name == name)
        .ok_or_else(|| format!("unknown command `{name}`\n{}", overview()))?;
    let ours = rest.iter().take_while(|word| *word != "--");
    if ours
        .into_iter()
        .any(|word| word == "--help" || word == "-h")
    {
        println!("{}", command.help);
        return Ok(());
    }
    (command.run)(&Invocation {
        root: workspace_root()?,
        arguments: rest.to_vec(),
    })
}

fn overview() -> String {
    let mut text = String::from("cargo xtask <command> [--help]\n");
    for Command { name, summary, .. } in COMMANDS {
        text.push_str(&format!("\n  {name:<7} {summary}"));
    }
    text
}

/// The folder of the root `Cargo.toml`: cargo says where xtask is, and the root is its parent.
fn workspace_root() -> Result<PathBuf, String> {
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = manifest_dir.parent().map(PathBuf::from).unwrap_or_default();
    if root.join("Cargo.toml").is_file() {
        return Ok(root);
    }
    Err(format!(
        "no workspace at {}: call this as `cargo xtask` inside the clone",
        root.display()
    ))
}
