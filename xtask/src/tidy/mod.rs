//! `cargo xtask tidy`: the rules of this project that no compiler knows.
//!
//! Each rule is one module with one function that appends what it found; [`run`] puts them together
//! and takes away what `docs/exceptions.txt` excuses. A rule reads files and never changes one,
//! except that with `bless` the golden files under `docs/` are rewritten.

use std::path::Path;

use crate::{Command, Invocation};

mod arrows;
mod bans;
mod budgets;
mod exceptions;
mod floors;
mod golden;
mod graph;
mod procedures;
mod purity;
mod source;
mod workspace;

use golden::Goldens;
use workspace::Workspace;

pub(crate) const COMMAND: Command = Command {
    name: "tidy",
    summary: "our own rules: budgets, arrows, purity, procedure table, bans",
    help: "cargo xtask tidy [--bless]

Checks what no compiler checks:
  budgets     functions <= 70 lines, files <= 500, lib.rs <= 300, main.rs <= 60, 100 columns
  arrows      dependencies between our crates: down the floors only, no circle, docs/arrows.txt
  purity      decisions/* without clock, I/O or randomness: docs/decisions-dependencies.txt
  procedures  every rpc::service! declaration against docs/procedures.txt; ids are never reused
  bans        bincode outside its one file, ignored tests, todo!, sleeps in tests

An exception is a line in docs/exceptions.txt with its reason; one that excuses nothing fails.
--bless rewrites the three golden files; read the diff, it is the thing to argue for.

Examples:
  cargo xtask tidy
  cargo xtask tidy --bless && git diff docs/",
    run: command,
};

/// One broken rule: where, which, how far off, and what to do.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The file, relative to the workspace's root, with `/`.
    pub path: String,
    /// The line, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// The rule's name, as `docs/exceptions.txt` spells it.
    pub rule: &'static str,
    /// What an exception names: a path, `path::function` or `crate -> crate`.
    pub subject: String,
    /// What was found, with the value and the limit.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}: {}\n    {}", self.rule, self.what, self.advice)
    }
}

fn command(invocation: &Invocation) -> Result<(), String> {
    let mut bless = false;
    for word in &invocation.arguments {
        match word.as_str() {
            "--bless" => bless = true,
            other => return Err(format!("tidy does not know `{other}`\n{}", COMMAND.help)),
        }
    }
    report(&invocation.root, bless)
}

/// Runs every rule and prints what it found on stderr.
pub(crate) fn report(root: &Path, bless: bool) -> Result<(), String> {
    let findings = run(root, bless);
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err("tidy found 1 broken rule".into()),
        count => Err(format!("tidy found {count} broken rules")),
    }
}

/// What is wrong in the workspace at `root`, sorted by place.
///
/// With `bless`, the golden files follow the code instead of being compared with it.
pub fn run(root: &Path, bless: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let workspace = match Workspace::load(root) {
        Ok(workspace) => workspace,
        Err(finding) => return vec![finding],
    };
    let mut goldens = Goldens::new(root, bless);
    let sources = source::read_all(&workspace, &mut findings);

    budgets::check(&sources, &mut findings);
    bans::check(&workspace, &sources, &mut findings);
    arrows::check(&workspace, &mut goldens, &mut findings);
    purity::check(&workspace, &mut goldens, &mut findings);
    procedures::check(&sources, &mut goldens, &mut findings);
    exceptions::apply(root, &mut findings);

    findings.sort_by(|a, b| (&a.path, a.line, a.rule).cmp(&(&b.path, b.line, b.rule)));
    findings
}
