//! Runs a test program, shows what it prints, and counts what it says about its tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

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

/// How long the output may stay open after the runner ended.
const GRACE: Duration = Duration::from_secs(5);

/// Runs `step` and counts; the flag says whether it ended well and left nothing behind.
///
/// # Errors
/// When the program cannot be started.
pub(crate) fn run(step: &Step, root: &Path) -> Result<(Tally, bool), String> {
    let screen = (std::io::stdout(), std::io::stderr());
    run_onto(screen, step, root, GRACE)
}

fn run_onto(
    (stdout, stderr): (impl Write + Send + 'static, impl Write + Send + 'static),
    step: &Step,
    root: &Path,
    grace: Duration,
) -> Result<(Tally, bool), String> {
    eprintln!("==> {}: {}", step.title, step.line());
    let mut command = step.command(root);
    forget_local_settings(&mut command);
    // Tests that start binaries of other packages build them, unless this was done before.
    command.env("XTASK_BUILT", "1");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("failed to start `{}`: {error}", step.program))?;
    // libtest reports on stdout and nextest on stderr, so both are read, at the same time.
    let (sender, counts) = mpsc::channel();
    copy_in_background(child.stdout.take(), stdout, sender.clone());
    copy_in_background(child.stderr.take(), stderr, sender);
    let status = child
        .wait()
        .map_err(|error| format!("failed to wait for `{}`: {error}", step.program))?;
    let (tally, closed) = collect(&counts, Instant::now() + grace);
    if !closed {
        eprintln!("a process that a test started was not ended: it still holds the output");
    }
    Ok((tally, status.success() && closed))
}

/// Adds up until both outputs are closed; the flag says whether that was before the deadline.
fn collect(counts: &mpsc::Receiver<Tally>, deadline: Instant) -> (Tally, bool) {
    let mut tally = Tally::default();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match counts.recv_timeout(left) {
            Ok(more) => tally.add(more),
            Err(mpsc::RecvTimeoutError::Disconnected) => return (tally, true),
            Err(mpsc::RecvTimeoutError::Timeout) => return (tally, false),
        }
    }
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

/// Not joined: a process that was left behind may keep the output open for ever.
fn copy_in_background(
    from: Option<impl Read + Send + 'static>,
    mut to: impl Write + Send + 'static,
    counts: mpsc::Sender<Tally>,
) {
    let Some(from) = from else { return };
    std::thread::spawn(move || {
        let mut reader = BufReader::new(from);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|count| count > 0)
        {
            let counted = count(&String::from_utf8_lossy(&line));
            // A closed terminal, or a caller that waits no longer, must not stop the reading:
            // the runner would block on a full pipe.
            let _ = to.write_all(&line).and_then(|()| to.flush());
            if counted != Tally::default() {
                let _ = counts.send(counted);
            }
            line.clear();
        }
    });
}

/// What one line says: libtest's `test result:` or nextest's `Summary`. What nextest shows again of
/// a failed test is indented, and was counted already.
fn count(line: &str) -> Tally {
    let counts = if let Some(rest) = line.strip_prefix("test result: ") {
        rest.split_once(". ").map(|(_, counts)| counts)
    } else if line.trim_start().starts_with("Summary [") {
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
        check(
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; shown again",
            0,
            0,
        );
        check("running 12 tests", 0, 0);
    }

    /// Runs a script in place of a runner, its output shown to nobody: it would be counted.
    fn run_script(script: &str, root: &Path) -> Result<(Tally, bool), String> {
        let step = Step {
            title: "script",
            program: "sh",
            arguments: vec!["-c".into(), script.into()],
            environment: Vec::new(),
            quiet: false,
        };
        run_onto(
            (std::io::sink(), std::io::sink()),
            &step,
            root,
            Duration::from_millis(300),
        )
    }

    fn tally(passed: usize, failed: usize) -> Tally {
        Tally { passed, failed }
    }

    #[test]
    fn a_runner_is_counted_on_both_outputs_and_its_verdict_kept() {
        let line = "echo 'test result: ok. 2 passed; 1 failed; 0 ignored'";
        let both = format!("{line}; {line} >&2; exit 1");
        let root = Path::new("/");
        assert_eq!(run_script(&both, root), Ok((tally(4, 2), false)));
        assert_eq!(run_script(line, root), Ok((tally(2, 1), true)));
    }

    #[test]
    fn a_process_that_was_left_behind_fails_the_run_instead_of_hanging_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let leave = "sleep 600 & echo $! > pid; echo 'test result: ok. 1 passed; 0 failed'";
        let outcome = run_script(leave, folder.path());
        let pid = std::fs::read_to_string(folder.path().join("pid")).expect("the pid");
        let ended = std::process::Command::new("kill").arg(pid.trim()).status();
        assert!(ended.is_ok_and(|status| status.success()));
        assert_eq!(outcome, Ok((tally(1, 0), false)));
    }
}
