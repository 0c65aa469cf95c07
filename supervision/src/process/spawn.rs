//! Starting an instance.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use super::child::{Born, Prepared, Step};
use super::table::{Entry, Reserved};
use super::{Shared, child, environment, handed, watch as watching};
use crate::cgroup::{Doors, Group};
use crate::logs::{self, Stream};
use crate::{Launch, Running, SpawnError, identity, pidfd};

/// In a task of its own, so that a process whose caller went away is watched all the same.
pub(super) async fn spawn(shared: Arc<Shared>, launch: Launch) -> Result<Running, SpawnError> {
    let task = tokio::spawn(async move {
        let Some(reserved) = shared.table.reserve(&launch.id) else {
            return Err(SpawnError::AlreadyRunning { id: launch.id });
        };
        let at_work = Arc::clone(&shared);
        let start = move || start(&at_work, &launch).map(|started| (started, launch));
        let ((born, group), launch) = tokio::task::spawn_blocking(start)
            .await
            .map_err(|e| system("start a thread", io::Error::other(e)))??;
        register(&shared, reserved, &launch, born, group)
    });
    match task.await {
        Ok(done) => done,
        Err(e) => Err(system("start a task", io::Error::other(e))),
    }
}

fn system(what: &'static str, source: io::Error) -> SpawnError {
    SpawnError::System { what, source }
}

/// Blocks for a millisecond or so.
fn start(shared: &Shared, launch: &Launch) -> Result<(Born, Group), SpawnError> {
    let mut env = environment::of(launch, &shared.settings);
    let handed = handed::files(launch, &mut env);
    let handed = handed.map_err(|e| system("keep a secret in memory", e))?;
    let path = env.get(OsStr::new("PATH")).map(|path| path.as_os_str());
    let program = environment::find_program(&launch.program, path)?;
    let mut args = vec![environment::c_string(
        launch.program.as_os_str(),
        "program",
    )?];
    for arg in &launch.args {
        args.push(environment::c_string(OsStr::new(arg), "args")?);
    }
    let working_dir = launch.working_dir.as_ref();
    let working_dir = working_dir.map(|d| environment::c_string(d.as_os_str(), "working_dir"));
    let mut prepared = Prepared {
        program: environment::c_string(program.as_os_str(), "program")?,
        args,
        env: environment::as_c_strings(&env)?,
        working_dir: working_dir.transpose()?,
        stdio: stdio(shared, launch)?,
        handed,
        doors: Doors::default(),
    };
    let group = shared.limiter.make(&launch.id, &launch.limits)?;
    let born = group
        .doors()
        .map_err(|e| system("open the cgroup", e))
        .and_then(|doors| {
            prepared.doors = doors;
            child::start(&prepared).map_err(|e| explain(e, launch, program))
        });
    match born {
        Ok(born) => Ok((born, group)),
        Err(e) => {
            group.remove();
            Err(e)
        }
    }
}

fn stdio(shared: &Shared, launch: &Launch) -> Result<[OwnedFd; 3], SpawnError> {
    let null = File::open("/dev/null").map_err(|e| system("open /dev/null", e))?;
    let log = |stream: Stream| {
        let path = logs::path(&shared.settings.log_dir, &launch.id, stream);
        logs::open_for_child(&path)
            .map(OwnedFd::from)
            .map_err(|source| SpawnError::Log { path, source })
    };
    Ok([null.into(), log(Stream::Stdout)?, log(Stream::Stderr)?])
}

fn explain((step, source): (Step, io::Error), launch: &Launch, program: PathBuf) -> SpawnError {
    let short_of = matches!(
        source.raw_os_error(),
        Some(libc::ENOMEM | libc::EAGAIN | libc::EMFILE | libc::ENFILE)
    );
    match (step, &launch.working_dir) {
        (Step::WorkingDir, Some(dir)) => SpawnError::WorkingDir {
            path: dir.clone(),
            source,
        },
        (Step::Exec, _) if source.kind() == io::ErrorKind::NotFound && !program.exists() => {
            SpawnError::ProgramNotFound { program }
        }
        (Step::Exec, _) if !short_of => SpawnError::NotExecutable { program, source },
        (Step::Clone, _) if source.raw_os_error() == Some(libc::ENOSYS) => system(
            "make a process with clone3, which a seccomp filter or an old kernel forbids",
            source,
        ),
        _ => system(step.what(), source),
    }
}

/// Puts a process under its name and watches it. On failure the process is killed and reaped.
fn register(
    shared: &Arc<Shared>,
    reserved: Reserved,
    launch: &Launch,
    born: Born,
    group: Group,
) -> Result<Running, SpawnError> {
    let identity = identity::of(born.pid)
        .and_then(|found| found.ok_or_else(|| io::Error::other("it is not in /proc")));
    let identity = match identity {
        Ok(identity) => identity,
        Err(e) => {
            pidfd::kill_and_reap(&born.pidfd);
            let _ = group.kill();
            group.remove();
            return Err(system("look at the new process", e));
        }
    };
    let pidfd = match pidfd::watch(born.pidfd) {
        Ok(pidfd) => pidfd,
        Err((pidfd, source)) => {
            pidfd::kill_and_reap(&pidfd);
            let _ = group.kill();
            group.remove();
            return Err(system("watch the new process", source));
        }
    };
    let (id, ticks) = (&launch.id, identity.start_ticks);
    let members = shared.members(id, Some(born.pid), ticks, group);
    let entry = reserved.fill(|notice| Entry::new(identity, pidfd, members, notice));
    tokio::spawn(watching::watch(
        Arc::clone(&shared.table),
        Arc::clone(&entry),
    ));
    tracing::debug!(instance = %launch.id, pid = entry.identity.pid, "started");
    Ok(entry.running())
}

impl Entry {
    pub(super) fn new(
        identity: model::ProcessIdentity,
        pidfd: AsyncFd<OwnedFd>,
        members: super::Members,
        notice: watch::Sender<crate::Notice>,
    ) -> Self {
        Self {
            identity,
            pidfd,
            members,
            kill_after: std::sync::Mutex::new(None),
            killing: std::sync::atomic::AtomicBool::new(false),
            exit: watch::Sender::new(None),
            notice,
        }
    }
}
