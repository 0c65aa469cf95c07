//! `cargo xtask check`: what CI asks of a change apart from its tests; quick answers first.

use std::path::Path;
use std::time::Instant;

use crate::step::Step;
use crate::{Command, Invocation, packages, tidy};

pub(crate) const COMMAND: Command = Command {
    name: "check",
    summary: "formatting, tidy, lints, docs, licences: CI's verdict apart from tests",
    help: "cargo xtask check

Runs every check, also after one failed, and ends with the list of failures and how to repeat each:
  format     cargo fmt --all --check
  tidy       cargo xtask tidy
  lints      cargo clippy --workspace --all-targets, warnings are errors
  etcd       the same for the store with its feature `etcd`
  docs       cargo doc --no-deps --workspace, warnings are errors
  deny       cargo deny check bans licenses sources (installed first when CI is set)

Example:
  cargo xtask check",
    run,
};

fn run(invocation: &Invocation) -> Result<(), String> {
    if let Some(word) = invocation.arguments.first() {
        return Err(format!(
            "check takes no argument, but got `{word}`\n{}",
            COMMAND.help
        ));
    }
    let root = &invocation.root;
    let started = Instant::now();
    let mut failures = Vec::new();
    let mut judge = |title: &str, outcome: Result<(), String>, again: String| {
        if let Err(why) = outcome {
            failures.push(format!("  {title}: {why}\n      again: {again}"));
        }
    };

    let format = Step::cargo("format", "fmt --all --check");
    judge("format", format.run(root), "cargo fmt --all".into());
    eprintln!("==> tidy: cargo xtask tidy");
    judge("tidy", tidy::report(root, false), "cargo xtask tidy".into());
    judge(
        "packages",
        packages::ensure_for_lints(),
        "cargo xtask check".into(),
    );
    for step in build_steps() {
        judge(step.title, step.run(root), step.line());
    }
    let deny = Step::cargo("deny", "deny check bans licenses sources");
    judge(
        "deny",
        ensure_cargo_deny(root).and_then(|()| deny.run(root)),
        deny.line(),
    );

    let seconds = started.elapsed().as_secs();
    if failures.is_empty() {
        eprintln!("check: all good, {seconds} s");
        return Ok(());
    }
    Err(format!(
        "{} of 5 checks failed after {seconds} s\n{}",
        failures.len(),
        failures.join("\n")
    ))
}

fn build_steps() -> [Step; 3] {
    [
        Step::cargo("lints", "clippy --workspace --all-targets -- -D warnings"),
        Step::cargo(
            "etcd",
            "clippy --package store --features etcd --all-targets -- -D warnings",
        ),
        Step::cargo("docs", "doc --no-deps --workspace").with("RUSTDOCFLAGS", "-D warnings"),
    ]
}

/// Only CI installs a tool unasked: it takes minutes, and a person may want it from elsewhere.
fn ensure_cargo_deny(root: &Path) -> Result<(), String> {
    let probe = Step::cargo("deny", "deny --version").quiet();
    let mut command = probe.command(root);
    command.stderr(std::process::Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let install = Step::cargo("deny", "install cargo-deny --locked");
    if std::env::var_os("CI").is_none() {
        return Err(format!(
            "cargo-deny is missing: run `{}` (about 3 minutes)",
            install.line()
        ));
    }
    install
        .run(root)
        .map_err(|why| format!("cargo-deny is missing, and `{}` {why}", install.line()))
}
