//! Runs a test program, shows what it prints, and counts what it says about its tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;

use crate::step::Step;

/// How many tests passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs `step` and counts; the flag says whether it ended well.
///
/// # Errors
/// When the program cannot be started.
pub(crate) fn run(step: &Step, root: &Path) -> Result<(Tally, bool), String> {
    eprintln!("==> {}: {}", step.title, step.line());
    let mut command = step.command(root);
    forget_local_settings(&mut command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("failed to start `{}`: {error}", step.program))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // libtest reports on stdout and nextest on stderr, so both are read, at the same time.
    let tally = std::thread::scope(|scope| {
        let other = scope.spawn(|| copy(stderr, std::io::stderr()));
        let mut tally = copy(stdout, std::io::stdout());
        tally.add(other.join().unwrap_or_default());
        tally
    });
    let status = child
        .wait()
        .map_err(|error| format!("failed to wait for cargo: {error}"))?;
    Ok((tally, status.success()))
}

/// A developer's own fleet may be configured in this shell; the tests start from nothing.
fn forget_local_settings(command: &mut std::process::Command) {
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if text == "PORT" || text.starts_with("ORRERY_") || text.ends_with("_REPLICAS") {
            command.env_remove(&name);
        }
    }
}

fn copy(from: Option<impl Read>, mut to: impl Write) -> Tally {
    let mut tally = Tally::default();
    let Some(from) = from else { return tally };
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while reader
        .read_until(b'\n', &mut line)
        .is_ok_and(|count| count > 0)
    {
        tally.add(count(&String::from_utf8_lossy(&line)));
        // A closed terminal must not end the count.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        line.clear();
    }
    tally
}

/// What one line says: libtest's `test result:` or nextest's `Summary`.
fn count(line: &str) -> Tally {
    let line = line.trim();
    let counts = if let Some(rest) = line.strip_prefix("test result: ") {
        rest.split_once(". ").map(|(_, counts)| counts)
    } else if line.starts_with("Summary [") {
        line.split_once("run: ").map(|(_, counts)| counts)
    } else {
        None
    };
    let mut tally = Tally::default();
    for part in counts.unwrap_or_default().split([',', ';']) {
        let Some((number, word)) = part.trim().split_once(' ') else {
            continue;
        };
        let Ok(number) = number.parse::<usize>() else {
            continue;
        };
        match word.split([' ', '(']).next() {
            Some("passed") => tally.passed += number,
            Some("failed" | "timed" | "exec") => tally.failed += number,
            _ => {}
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_both_runners_are_counted_and_nothing_else_is() {
        let check = |line: &str, passed, failed| {
            assert_eq!(count(line), Tally { passed, failed }, "{line}");
        };
        check(
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            3,
            0,
        );
        check(
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 7 filtered",
            3,
            2,
        );
        check(
            "     Summary [   0.1s] 9 tests run: 9 passed, 3 skipped",
            9,
            0,
        );
        check(
            "     Summary [   0.1s] 9 tests run: 8 passed (1 slow, 1 flaky), 1 failed",
            8,
            1,
        );
        check(
            "     Summary [   2.1s] 9/12 tests run: 7 passed, 1 timed out, 1 exec failed",
            7,
            2,
        );
        check(
            "        PASS [   0.1s] store::conformance a put is 3 passed",
            0,
            0,
        );
        check("running 12 tests", 0, 0);
    }
}
