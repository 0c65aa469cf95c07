//! Learning of an exit, and clearing away what it leaves behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::Exit;
use tokio::time::Instant;

use super::blocking;
use super::members::Members;
use super::table::{Entry, Table};
use crate::pidfd;

/// How long what was left behind may survive SIGKILL before the exit is told all the same.
const LEFTOVERS_MAX: Duration = Duration::from_secs(5);

/// Waits for the exit of the main process, kills what it left, and tells the exit.
pub(super) async fn watch(table: Arc<Table>, entry: Arc<Entry>) {
    if let Err(error) = entry.pidfd.readable().await {
        // Only when tokio's runtime shuts down; the process runs on and will be adopted.
        tracing::debug!(%error, "no longer watching");
        return;
    }
    let identity = &entry.identity;
    let exit = pidfd::exit_of(entry.pidfd.get_ref(), identity.pid, identity.start_ticks).await;
    let exit = name_out_of_memory(exit, &entry);
    clear_leftovers(&entry).await;
    table.remove(&entry);
    tracing::debug!(instance = %entry.members.id, pid = identity.pid, %exit, "ended");
    entry.exit.send_replace(Some(exit));
}

/// The kernel's killer leaves no other trace than a counter: the signal is SIGKILL, and a shell
/// whose child it hit says 137.
fn name_out_of_memory(exit: Exit, entry: &Entry) -> Exit {
    let by_kill = matches!(
        exit,
        Exit::Signal(libc::SIGKILL) | Exit::Code(137) | Exit::Unknown
    );
    let by_us = entry.killing.load(Ordering::Acquire);
    if by_kill && !by_us && entry.members.group.oom_kills() > 0 {
        return Exit::OutOfMemory;
    }
    exit
}

async fn clear_leftovers(entry: &Arc<Entry>) {
    let mut pause = Duration::from_millis(1);
    let mut give_up = None;
    while !is_empty(&entry.members).await {
        if !entry.in_grace() {
            let since = *give_up.get_or_insert_with(Instant::now);
            if since.elapsed() > LEFTOVERS_MAX {
                let instance = &entry.members.id;
                tracing::warn!(%instance, "what it left behind does not end; see ps, state D");
                return;
            }
            let members = entry.members.clone();
            let killed = blocking(move || members.kill()).await;
            if let Err(error) = killed {
                tracing::warn!(%error, "what an instance left behind cannot be killed");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    entry.members.group.remove();
}

/// With a cgroup this is one read; without, a walk over `/proc` that does not belong here.
pub(super) async fn is_empty(members: &Members) -> bool {
    let empty = if members.group.exists() {
        members.is_empty()
    } else {
        let members = members.clone();
        blocking(move || members.is_empty()).await
    };
    empty.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot tell whether an instance is empty");
        false
    })
}
