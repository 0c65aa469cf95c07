//! Ending an instance: all of it.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use model::Exit;
use rustix::process::Signal;
use tokio::time::{Instant, timeout};

use super::table::Entry;
use super::{Shared, blocking};
use crate::{Running, StopError, pidfd};

/// How long after SIGKILL processes may take to end.
const KILL_MAX: Duration = Duration::from_secs(5);
/// Without a cgroup one that forks may escape a kill; it is repeated this often.
const KILL_AGAIN: Duration = Duration::from_millis(20);

/// The watcher tells the exit when nothing is left; this sees to it that nothing is.
pub(super) async fn stop(
    shared: &Arc<Shared>,
    running: &Running,
    grace: Duration,
) -> Result<Exit, StopError> {
    let entry = shared.table.get(running.id());
    let Some(entry) = entry.filter(|entry| entry.identity == *running.identity()) else {
        return Ok(running.exit().await);
    };
    let system = |source| StopError::System {
        id: running.id().clone(),
        source,
    };
    if !grace.is_zero() {
        entry.set_kill_after(Instant::now() + grace);
        ask(&entry).await.map_err(system)?;
        if let Ok(exit) = timeout(grace, running.exit()).await {
            return Ok(exit);
        }
    }
    entry.set_killing();
    entry.set_kill_after(Instant::now());
    let deadline = Instant::now() + KILL_MAX;
    while Instant::now() < deadline {
        kill(&entry).await.map_err(system)?;
        if let Ok(exit) = timeout(KILL_AGAIN, running.exit()).await {
            return Ok(exit);
        }
    }
    if let Some(exit) = entry.exited() {
        return Ok(exit);
    }
    Err(StopError::StillThere {
        id: running.id().clone(),
        pids: entry.members.list().unwrap_or_default(),
    })
}

/// SIGTERM, and SIGCONT so that stopped ones can hear it.
async fn ask(entry: &Arc<Entry>) -> io::Result<()> {
    let entry = Arc::clone(entry);
    blocking(move || {
        let leader = entry.pidfd.get_ref().as_fd();
        entry.members.signal(leader, Signal::TERM)?;
        entry.members.signal(leader, Signal::CONT)
    })
    .await
}

async fn kill(entry: &Arc<Entry>) -> io::Result<()> {
    let entry = Arc::clone(entry);
    blocking(move || {
        pidfd::signal(entry.pidfd.get_ref(), Signal::KILL)?;
        entry.members.kill()
    })
    .await
}
