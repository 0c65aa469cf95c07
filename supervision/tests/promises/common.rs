//! What the tests share: a runtime of their own, shells as programs, waiting with a deadline.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use model::InstanceId;
use supervision::{Cgroups, Launch, ProcessRuntime, Settings};
use tempfile::TempDir;

/// No test waits longer than this for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A runtime with a scope and directories of its own.
pub(crate) struct World {
    pub(crate) runtime: ProcessRuntime,
    pub(crate) settings: Settings,
    pub(crate) dir: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn without_cgroups() -> Self {
        Self::with(|settings| settings.cgroups = Cgroups::Off)
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let dir = tempfile::tempdir().unwrap();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let scope = format!("test-{}-{number}", std::process::id());
        let mut settings = Settings::new(scope, dir.path().join("logs"));
        change(&mut settings);
        let runtime = ProcessRuntime::start(settings.clone()).unwrap();
        Self {
            runtime,
            settings,
            dir,
        }
    }

    /// A file of this test's directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn log_dir(&self) -> PathBuf {
        self.settings.log_dir.clone()
    }
}

impl Drop for World {
    /// A test that fails half-way leaves nobody behind either.
    fn drop(&mut self) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|n| n.parse::<i32>().ok())
            else {
                continue;
            };
            let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
            let mark = format!("ORRERY_SCOPE={}\0", self.settings.scope);
            if environ
                .windows(mark.len())
                .any(|window| window == mark.as_bytes())
                && let Some(pid) = rustix::process::Pid::from_raw(pid)
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

pub(crate) fn id(text: &str) -> InstanceId {
    text.parse().unwrap()
}

/// A shell that runs `script`.
pub(crate) fn shell(name: &str, script: &str) -> Launch {
    Launch::new(id(name), "/bin/sh").arg("-c").arg(script)
}

/// Waits until `found` finds something; panics with `what` at the deadline.
pub(crate) async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(it) = found() {
            return it;
        }
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a file has a whole line, and gives its lines.
pub(crate) async fn lines_of(path: PathBuf) -> Vec<String> {
    until(&format!("a line in {}", path.display()), || {
        let text = fs::read_to_string(&path).ok()?;
        text.ends_with('\n')
            .then(|| text.lines().map(str::to_owned).collect())
    })
    .await
}

/// Waits until a file holds a pid.
pub(crate) async fn pid_in(path: PathBuf) -> u32 {
    lines_of(path).await[0].trim().parse().unwrap()
}

/// Whether a process runs (a zombie does not).
pub(crate) fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}
