//! The runtime of real processes.

mod adopt;
mod child;
mod environment;
mod handed;
mod members;
mod spawn;
mod stop;
mod table;
mod watch;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::{Exit, InstanceId, ProcessIdentity};

pub use environment::{INHERITED, INSTANCE_VARIABLE, SCOPE_VARIABLE};
use members::Members;
use table::Table;

use crate::cgroup::Group;
use crate::logs::Keeper;
use crate::notify::Listener;
use crate::{
    AdoptError, BoxFuture, Launch, Limiter, Running, Runtime, SetupError, SpawnError, StopError,
    Survivor, Usage, logs, procfs,
};

/// What a [`ProcessRuntime`] has to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose processes these are: the same after a restart of the supervisor, and another one for
    /// every other supervisor of this machine. Letters, digits and `-`.
    pub scope: String,
    /// Where logs go; made when it is not there.
    pub log_dir: PathBuf,
    /// How much disk each of the two streams of an instance may take, in bytes: half of it in the
    /// file being written, half in the one before. See [`logs`] for what a flood may add.
    pub log_bytes_max: u64,
    /// Where processes say that they are ready; absent: nowhere.
    pub notify_socket: Option<PathBuf>,
    /// Whether to use cgroups.
    pub cgroups: Cgroups,
}

/// Whether to use cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cgroups {
    /// Wherever this machine has them.
    Detect,
    /// Not at all: limits are refused, and descendants are found as well as can be without.
    Off,
}

impl Settings {
    /// 16 MiB of log for each stream, cgroups where there are any, no readiness socket.
    pub fn new(scope: impl Into<String>, log_dir: impl Into<PathBuf>) -> Self {
        Self {
            scope: scope.into(),
            log_dir: log_dir.into(),
            log_bytes_max: 16 << 20,
            notify_socket: None,
            cgroups: Cgroups::Detect,
        }
    }
}

/// Runs instances as processes of this machine. Cheap to clone; dropping it ends no process.
#[derive(Clone)]
pub struct ProcessRuntime {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    limiter: Limiter,
    table: Arc<Table>,
    /// Trims logs for as long as the runtime lives.
    _keeper: Keeper,
}

impl ProcessRuntime {
    /// Makes the log directory, the cgroups and the readiness socket, and starts to trim logs.
    /// Call it inside a tokio runtime.
    ///
    /// # Errors
    /// The log directory or the socket cannot be made. Missing cgroups are no error.
    pub fn start(mut settings: Settings) -> Result<Self, SetupError> {
        // Children may run elsewhere.
        settings.notify_socket = settings
            .notify_socket
            .map(|path| absolute(&path))
            .transpose()?;
        let keeper = Keeper::start(&settings.log_dir, settings.log_bytes_max)?;
        let limiter = match settings.cgroups {
            Cgroups::Detect => Limiter::detect(&settings.scope),
            Cgroups::Off => Limiter::off("cgroups are switched off in the settings"),
        };
        let listener = settings
            .notify_socket
            .as_deref()
            .map(Listener::bind)
            .transpose()?;
        let shared = Arc::new(Shared {
            settings,
            limiter,
            table: Arc::default(),
            _keeper: keeper,
        });
        if let Some(listener) = listener {
            tokio::spawn(pass_on_notices(listener, Arc::downgrade(&shared)));
        }
        Ok(Self { shared })
    }

    /// What can be enforced on this machine.
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.shared.limiter
    }

    /// The instance a process belongs to, if it is one of this runtime's.
    #[must_use]
    pub fn instance_of(&self, pid: u32) -> Option<InstanceId> {
        self.shared.instance_of(pid)
    }

    /// What it was set up with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }
}

impl Shared {
    fn instance_of(&self, pid: u32) -> Option<InstanceId> {
        let by_group = procfs::cgroup_v2(pid).and_then(|path| self.limiter.instance_at(&path));
        by_group.or_else(|| self.table.led_by(pid)).or_else(|| {
            let [scope, id] = procfs::started_with(pid, [SCOPE_VARIABLE, INSTANCE_VARIABLE])?;
            (scope == self.settings.scope).then(|| id.parse().ok())?
        })
    }

    /// `leader` is absent when that process is known to be gone.
    fn members(
        &self,
        id: &InstanceId,
        leader: Option<u32>,
        since_ticks: u64,
        group: Group,
    ) -> Members {
        Members {
            id: id.clone(),
            scope: self.settings.scope.clone(),
            leader,
            since_ticks,
            group,
            name: id.to_string(),
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, SetupError> {
    std::path::absolute(path).map_err(|source| SetupError {
        what: "make absolute the path",
        path: path.to_owned(),
        source,
    })
}

/// Ends with the runtime: at the first message after it is gone.
async fn pass_on_notices(listener: Listener, shared: std::sync::Weak<Shared>) {
    loop {
        let message = match listener.receive().await {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(%error, "the readiness socket cannot be read");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let known = shared.instance_of(message.pid);
        let taken = known
            .as_ref()
            .is_some_and(|id| shared.table.say(id, &message.notice));
        if !taken {
            tracing::debug!(pid = message.pid, "a readiness message of nobody we know");
        }
    }
}

impl Runtime for ProcessRuntime {
    fn spawn(&self, launch: Launch) -> BoxFuture<'_, Result<Running, SpawnError>> {
        Box::pin(spawn::spawn(Arc::clone(&self.shared), launch))
    }

    fn adopt(
        &self,
        id: InstanceId,
        identity: ProcessIdentity,
    ) -> BoxFuture<'_, Result<Option<Running>, AdoptError>> {
        Box::pin(adopt::adopt(Arc::clone(&self.shared), id, identity))
    }

    fn survivors(&self) -> BoxFuture<'_, io::Result<Vec<Survivor>>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { blocking(move || adopt::survivors(&shared)).await })
    }

    fn stop<'a>(
        &'a self,
        running: &'a Running,
        grace: Duration,
    ) -> BoxFuture<'a, Result<Exit, StopError>> {
        Box::pin(stop::stop(&self.shared, running, grace))
    }

    fn usage(&self, running: &Running) -> io::Result<Usage> {
        let entry = self.shared.table.get(running.id());
        let entry = entry.filter(|entry| entry.identity == *running.identity());
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the instance has ended");
        entry.ok_or_else(gone)?.members.usage()
    }

    fn last_lines(&self, id: &InstanceId, lines_max: usize) -> Vec<String> {
        logs::last_lines(&self.shared.settings.log_dir, id, lines_max)
    }
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(e) => Err(io::Error::other(e)),
    }
}
