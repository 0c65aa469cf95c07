//! The interface: what any machine that runs instances can do.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use model::{Exit, InstanceId, Limits, ProcessIdentity};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{AdoptError, Notice, SecretValue, SpawnError, StopError};

/// A future in a box, so that an agent can hold an `Arc<dyn Runtime>`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One machine's processes.
///
/// All methods are cancel safe in this sense: a `spawn` that is dropped may still have started its
/// process, which then runs on and is found by [`Runtime::survivors`]; a `stop` that is dropped may
/// be asked for again.
pub trait Runtime: Send + Sync + 'static {
    /// Starts a process and returns once its program runs (`exec` succeeded).
    ///
    /// # Errors
    /// [`SpawnError`]; then no process and no group is left behind.
    fn spawn(&self, launch: Launch) -> BoxFuture<'_, Result<Running, SpawnError>>;

    /// Takes over a process that an earlier supervisor started.
    ///
    /// `None`: that process is gone, or its pid belongs to another one now, which is left alone;
    /// whatever else was left of the instance has been killed. A process that has just ended and
    /// whose exit can still be told is returned, with its exit.
    ///
    /// # Errors
    /// [`AdoptError`] when the process table cannot be read.
    fn adopt(
        &self,
        id: InstanceId,
        identity: ProcessIdentity,
    ) -> BoxFuture<'_, Result<Option<Running>, AdoptError>>;

    /// Every instance of this runtime's scope that runs, whether or not anybody recorded it:
    /// what a supervisor that died between fork and record has started.
    ///
    /// # Errors
    /// The process table cannot be read.
    fn survivors(&self) -> BoxFuture<'_, io::Result<Vec<Survivor>>>;

    /// Ends an instance: SIGTERM to all of its processes, SIGKILL after `grace` to those that are
    /// left. Returns when none is left, with the exit of the main process.
    ///
    /// # Errors
    /// [`StopError::StillThere`] when some survive SIGKILL for five seconds.
    fn stop<'a>(
        &'a self,
        running: &'a Running,
        grace: Duration,
    ) -> BoxFuture<'a, Result<Exit, StopError>>;

    /// Ends an instance with SIGKILL at once: [`Runtime::stop`] without grace.
    ///
    /// # Errors
    /// As [`Runtime::stop`].
    fn kill_now<'a>(&'a self, running: &'a Running) -> BoxFuture<'a, Result<Exit, StopError>> {
        self.stop(running, Duration::ZERO)
    }

    /// What an instance uses, all of its processes together. About 50 microseconds.
    ///
    /// # Errors
    /// It has ended, or its numbers cannot be read.
    fn usage(&self, running: &Running) -> io::Result<Usage>;

    /// The last lines an instance wrote, oldest first, at most `lines_max`; empty when there are
    /// none or they cannot be read. Standard error first, filled up with standard output.
    fn last_lines(&self, id: &InstanceId, lines_max: usize) -> Vec<String>;
}

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Its name for all time; a second spawn under this name is refused while the first runs.
    pub id: InstanceId,
    /// A path (relative to the supervisor's directory), or a name looked up in `PATH`.
    pub program: PathBuf,
    /// Arguments, one each; no shell reads them.
    pub args: Vec<String>,
    /// Its environment, on top of [`crate::INHERITED`]. `PORT`, `NOTIFY_SOCKET` and the
    /// `ORRERY_INSTANCE`, `ORRERY_SCOPE` that the runtime sets win over entries here.
    pub env: BTreeMap<String, String>,
    /// What only this process may see, each as an open file in memory: it reads the one called
    /// `X` from the file descriptor whose number is in `ORRERY_SECRET_X_FD`.
    pub secrets: BTreeMap<String, SecretValue>,
    /// Where it runs; the supervisor's own directory when absent.
    pub working_dir: Option<PathBuf>,
    /// What it may use.
    pub limits: Limits,
    /// The port it is to listen on, passed as `PORT`.
    pub port: Option<u16>,
}

impl Launch {
    /// A program without arguments, limits or port.
    pub fn new(id: InstanceId, program: impl Into<PathBuf>) -> Self {
        Self {
            id,
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            working_dir: None,
            limits: Limits::default(),
            port: None,
        }
    }

    /// The same with one more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// The same with one more variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }
}

/// A process that runs, or ran. A handle: cloning it is cheap and dropping it ends nothing.
#[derive(Clone, Debug)]
pub struct Running {
    name: Arc<(InstanceId, ProcessIdentity)>,
    exit: watch::Receiver<Option<Exit>>,
    notice: watch::Receiver<Notice>,
}

impl Running {
    /// A handle, and the ends through which its runtime reports.
    pub(crate) fn new(
        id: InstanceId,
        identity: ProcessIdentity,
        exit: watch::Receiver<Option<Exit>>,
        notice: watch::Receiver<Notice>,
    ) -> Self {
        Self {
            name: Arc::new((id, identity)),
            exit,
            notice,
        }
    }

    /// Which instance it is.
    #[must_use]
    pub fn id(&self) -> &InstanceId {
        &self.name.0
    }

    /// Which process it is.
    #[must_use]
    pub fn identity(&self) -> &ProcessIdentity {
        &self.name.1
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exited(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits until it has ended and what it left behind has been killed. Cancel safe; may be
    /// awaited by many. [`Exit::Unknown`] when the runtime itself went away.
    pub async fn exit(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        ended.ok().and_then(|exit| *exit).unwrap_or(Exit::Unknown)
    }

    /// What it last said about itself on the notify socket.
    #[must_use]
    pub fn notice(&self) -> Notice {
        self.notice.borrow().clone()
    }

    /// A receiver that changes whenever it says something on the notify socket.
    #[must_use]
    pub fn notices(&self) -> watch::Receiver<Notice> {
        self.notice.clone()
    }

    /// Waits for `READY=1`. Never returns when it ends before; wait for [`Running::exit`] too.
    /// Cancel safe.
    pub async fn ready(&self) {
        let mut notice = self.notice.clone();
        if notice.wait_for(|notice| notice.ready).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// An instance found running at start-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Which instance.
    pub id: InstanceId,
    /// Its main process.
    pub identity: ProcessIdentity,
}

/// What the processes of an instance use together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time since it started, in milliseconds. With a cgroup, of all that ever ran in it;
    /// without, of those that run now.
    pub cpu_time_ms: u64,
    /// Resident memory, in bytes; pages shared by its processes count once for each.
    pub rss_bytes: u64,
    /// Processes that run now.
    pub pids: u64,
}
