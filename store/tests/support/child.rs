//! Other processes: this test binary started again, in a role of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const ROLE: &str = "ORRERY_STORE_TEST_ROLE";
const DIRECTORY: &str = "ORRERY_STORE_TEST_DIRECTORY";
/// Marks our lines among those of the test harness.
const MARK: &str = "@@";

/// The role this process was started in, if it is a child.
pub(crate) fn role() -> Option<(String, std::path::PathBuf)> {
    let role = std::env::var(ROLE).ok()?;
    Some((role, std::env::var_os(DIRECTORY)?.into()))
}

/// Tells the parent something.
pub(crate) fn say(words: &str) {
    let mut out = std::io::stdout().lock();
    // One write: a kill does not tear a line.
    let line = format!("\n{MARK}{words}\n");
    if out
        .write_all(line.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        // Nobody listens any more.
        std::process::exit(0);
    }
}

/// A process of this binary; killed when dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    out: BufReader<ChildStdout>,
}

impl Process {
    /// Starts the test `as_child` of this binary in `role`, below the program `wrapper`.
    pub(crate) fn start(wrapper: &[&str], role: &str, directory: &Path) -> Self {
        let own = std::env::current_exe().expect("this binary's path");
        let mut words = wrapper
            .iter()
            .map(std::ffi::OsString::from)
            .collect::<Vec<_>>();
        words.push(own.into());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args(["--exact", "as_child", "--nocapture"])
            .env(ROLE, role)
            .env(DIRECTORY, directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let out = BufReader::new(child.stdout.take().expect("its output is piped"));
        Self { child, out }
    }

    /// What the child says next; `None` when it has ended.
    pub(crate) fn hear(&mut self) -> Option<String> {
        loop {
            let mut line = Vec::new();
            match self.out.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return None,
                // Cut short by a kill.
                Ok(_) if line.last() != Some(&b'\n') => return None,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line);
            if let Some(words) = line.trim_end().strip_prefix(MARK) {
                return Some(words.to_owned());
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
