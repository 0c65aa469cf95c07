//! Ctrl-C and SIGTERM: the whole fleet ends, in order and quickly.

use std::sync::Arc;
use std::time::Duration;

use chassis::StopReason;
use model::ProcessIdentity;
use rustix::process::{Pid, Signal};
use scheduling::agent::Processes;
use supervision::Runtime;
use tokio::time::{Instant, timeout};

use crate::brain::Handle;

/// How long the fleet may take to end; what is left is killed.
const DRAIN_MAX: Duration = Duration::from_millis(4_300);
/// How long the killing may take.
const KILL_MAX: Duration = Duration::from_millis(500);

/// The processes that must not outlive a stopped fleet. Dropped before the fleet has ended (a
/// second Ctrl-C), it kills them.
pub(crate) struct Remains {
    processes: Processes,
    runtime: Arc<dyn Runtime>,
    armed: bool,
}

impl Remains {
    pub(crate) fn new(processes: Processes, runtime: Arc<dyn Runtime>) -> Self {
        Self {
            processes,
            runtime,
            armed: false,
        }
    }

    async fn kill(&self) {
        let left = self.processes.all();
        if left.is_empty() {
            return;
        }
        tracing::warn!(count = left.len(), "killing what has not ended");
        let mut killing = tokio::task::JoinSet::new();
        for running in left {
            let runtime = Arc::clone(&self.runtime);
            killing.spawn(async move { drop(runtime.kill_now(&running).await) });
        }
        let _ = timeout(KILL_MAX, killing.join_all()).await;
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if self.armed {
            for running in self.processes.all() {
                kill_at_once(running.identity());
            }
        }
    }
}

/// Ends the fleet.
pub(crate) async fn stop_fleet(reason: StopReason, brain: Handle, mut remains: Remains) {
    let count = remains.processes.all().len();
    let again = match reason {
        StopReason::Interrupt => "; Ctrl-C again kills it",
        StopReason::Terminate | StopReason::Drain => "",
    };
    eprintln!("stopping the fleet ({count} instances){again}");
    remains.armed = true;
    let started = Instant::now();
    let deadline = started + DRAIN_MAX;
    let drained = tokio::time::timeout_at(deadline, brain.drain(deadline)).await;
    if !matches!(drained, Ok(Ok(()))) {
        tracing::warn!("the fleet did not end in time");
    }
    remains.kill().await;
    remains.armed = false;
    eprintln!("the fleet has ended ({} ms)", started.elapsed().as_millis());
}

/// Kills a process and its group, if it is still the same one.
fn kill_at_once(identity: &ProcessIdentity) {
    let same = supervision::identity::of(identity.pid);
    if !same.is_ok_and(|found| found.as_ref() == Some(identity)) {
        return;
    }
    let pid = i32::try_from(identity.pid).ok().and_then(Pid::from_raw);
    // It leads its group; one that ended in this moment needs no killing.
    let _ = pid.map(|pid| rustix::process::kill_process_group(pid, Signal::KILL));
}
