//! `cargo xtask test`: from a machine that has only Rust to a verdict on every test.

use std::path::Path;
use std::process::{Command as Child, Stdio};
use std::time::Instant;

use crate::runner::{self, Tally};
use crate::step::Step;
use crate::{Command, Invocation, packages};

pub(crate) const COMMAND: Command = Command {
    name: "test",
    summary: "everything needed to test from nothing, then the tests",
    help: "cargo xtask test [--quick] [-p PACKAGE]... [FILTER...]

Checks the toolchain and the programs the tests use (installs Debian packages when it may),
builds the binaries that the tests start, then runs doc tests and tests: with cargo-nextest when
it is installed, with cargo test otherwise. Ends with one line: `N passed, N failed`.

  --quick      only what needs no running service: decisions, mechanism, xtask; no doc tests
  -p PACKAGE   only this package (may be repeated); no doc tests
  FILTER       only tests whose name contains it; no doc tests

Examples:
  cargo xtask test
  cargo xtask test --quick
  cargo xtask test -p scheduling killed",
    run,
};

/// The packages of `--quick`: those below the services, which start no binary of another package.
const QUICK: &[&str] = &[
    "model",
    "membership",
    "reconciliation",
    "rpc",
    "rpc-derive",
    "store",
    "supervision",
    "xtask",
];

/// What the caller wants tested.
#[derive(Default)]
struct Selection {
    quick: bool,
    packages: Vec<String>,
    filters: Vec<String>,
}

impl Selection {
    fn parse(arguments: &[String]) -> Result<Selection, String> {
        let mut selection = Selection::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => selection.quick = true,
                "-p" | "--package" => {
                    let package = words.next().ok_or("-p needs a package's name")?;
                    selection.packages.push(package.clone());
                }
                option if option.starts_with('-') => {
                    return Err(format!("test does not know `{option}`\n{}", COMMAND.help));
                }
                filter => selection.filters.push(filter.to_string()),
            }
        }
        if selection.quick {
            selection
                .packages
                .extend(QUICK.iter().map(|name| name.to_string()));
        }
        Ok(selection)
    }

    fn is_everything(&self) -> bool {
        self.packages.is_empty() && self.filters.is_empty()
    }

    /// The tests of the store's engine over etcd are a part of the store's.
    fn wants_etcd(&self) -> bool {
        self.filters.is_empty()
            && !self.quick
            && (self.packages.is_empty() || self.packages.iter().any(|name| name == "store"))
    }

    /// The tests proper: nextest when there is one, and what every Rust has otherwise.
    fn tests(&self, nextest: bool) -> Step {
        let mut step = if nextest {
            Step::cargo("tests", "nextest run --no-fail-fast")
        } else {
            Step::cargo("tests", "test --no-fail-fast --tests")
        };
        if self.packages.is_empty() {
            step.arguments.push("--workspace".into());
        }
        for package in &self.packages {
            step.arguments
                .extend(["--package".to_string(), package.clone()]);
        }
        if !nextest && !self.filters.is_empty() {
            step.arguments.push("--".into());
        }
        step.arguments.extend(self.filters.iter().cloned());
        step
    }
}

fn run(invocation: &Invocation) -> Result<(), String> {
    let root = &invocation.root;
    let selection = Selection::parse(&invocation.arguments)?;
    let started = Instant::now();
    toolchain(root)?;
    packages::ensure()?;

    // Tests of the fleet start real binaries of other packages, which no test target would build.
    // Together with all tests, because alone they have fewer features and all is built twice.
    if !selection.quick {
        let build = match selection.is_everything() {
            true => Step::cargo("build", "build --workspace --bins --tests"),
            false => Step::cargo("build", "build --workspace --bins"),
        };
        build
            .run(root)
            .map_err(|why| format!("`{}` {why}", build.line()))?;
    }
    let mut steps = Vec::new();
    if selection.is_everything() {
        steps.push(Step::cargo(
            "doc tests",
            "test --workspace --doc --no-fail-fast",
        ));
    }
    let nextest = packages::find("cargo-nextest").is_some();
    steps.push(selection.tests(nextest));
    if selection.wants_etcd() {
        steps.push(etcd(nextest));
    }
    let mut tally = Tally::default();
    let mut broken = Vec::new();
    for step in steps {
        let step = step.with("RUST_BACKTRACE", "1");
        let (counted, well) = runner::run(&step, root)?;
        tally.add(counted);
        if !well {
            broken.push(step.line());
        }
    }
    conclude(tally, &broken, started)
}

/// Apart, because the feature changes what the whole fleet would be built with.
fn etcd(nextest: bool) -> Step {
    let runner = if nextest { "nextest run" } else { "test" };
    let words = format!("{runner} --no-fail-fast --package store --features etcd --test etcd");
    Step::cargo("etcd", &words)
}

/// The last line is for whoever counts; what failed stands above it.
fn conclude(tally: Tally, broken: &[String], started: Instant) -> Result<(), String> {
    let Tally { passed, failed } = tally;
    let counts = format!("{passed} passed, {failed} failed");
    eprintln!(
        "==> done in {} s, with the build",
        started.elapsed().as_secs()
    );
    if !broken.is_empty() {
        return Err(format!("failed: {}\n{counts}", broken.join("; ")));
    }
    if passed == 0 {
        return Err(format!(
            "no test ran: does the filter match anything?\n{counts}"
        ));
    }
    eprintln!("{counts}");
    Ok(())
}

/// Compares the installed rustc with the root manifest's `rust-version`.
fn toolchain(root: &Path) -> Result<(), String> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))
        .map_err(|error| format!("failed to read Cargo.toml: {error}"))?;
    let manifest: toml::Table = manifest
        .parse()
        .map_err(|error| format!("failed to read Cargo.toml: {error}"))?;
    let package = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package"));
    let needed = package.and_then(|package| package.get("rust-version"));
    let needed = needed.and_then(toml::Value::as_str).unwrap_or("1.0");
    let output = Child::new("rustc")
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("failed to start rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
    let found = text.split_whitespace().nth(1).unwrap_or_default();
    if numbers(found) < numbers(needed) {
        return Err(format!(
            "rustc {found} is too old, {needed} is needed: `rustup update stable`"
        ));
    }
    eprintln!("==> toolchain: {text}");
    Ok(())
}

/// `1.95.0-nightly` as comparable numbers.
fn numbers(version: &str) -> Vec<u32> {
    let plain = version.split('-').next().unwrap_or_default();
    plain
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_runners_get_the_packages_and_filters_that_were_asked_for() {
        let check = |words: &str, nextest, expected: &str| {
            let words: Vec<String> = words.split_whitespace().map(String::from).collect();
            let selection = Selection::parse(&words).expect("good words");
            assert_eq!(selection.tests(nextest).line(), expected);
        };
        check("", true, "cargo nextest run --no-fail-fast --workspace");
        check("", false, "cargo test --no-fail-fast --tests --workspace");
        let etcd = |words: &str| {
            let words: Vec<String> = words.split_whitespace().map(String::from).collect();
            Selection::parse(&words).expect("good words").wants_etcd()
        };
        assert!(etcd("") && etcd("-p store") && !etcd("-p rpc") && !etcd("--quick"));
        check(
            "-p rpc a b",
            true,
            "cargo nextest run --no-fail-fast --package rpc a b",
        );
        check(
            "a -p rpc",
            false,
            "cargo test --no-fail-fast --tests --package rpc -- a",
        );
    }

    #[test]
    fn unknown_options_are_refused_by_name() {
        let refusal = |word: &str| {
            Selection::parse(&[word.to_string()])
                .err()
                .unwrap_or_default()
        };
        assert!(refusal("--fast").starts_with("test does not know `--fast`"));
        assert!(refusal("-p").starts_with("-p needs"));
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(numbers("1.88") <= numbers("1.88.0"));
        assert!(numbers("1.100.0-nightly") > numbers("1.88"));
        assert!(numbers("1.9.1") < numbers("1.88"));
    }
}
