//! Finding again what an earlier supervisor started.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{InstanceId, ProcessIdentity};

use super::environment::{INSTANCE_VARIABLE, SCOPE_VARIABLE};
use super::table::Entry;
use super::{Members, Shared, blocking, watch};
use crate::cgroup::Group;
use crate::{AdoptError, Running, Survivor, identity, pidfd, procfs};

pub(super) async fn adopt(
    shared: Arc<Shared>,
    id: InstanceId,
    identity: ProcessIdentity,
) -> Result<Option<Running>, AdoptError> {
    let error = |source| AdoptError {
        id: id.clone(),
        identity: identity.clone(),
        source,
    };
    let Some(reserved) = shared.table.reserve(&id) else {
        let entry = shared
            .table
            .get(&id)
            .filter(|entry| entry.identity == identity);
        return Ok(entry.map(|entry| entry.running()));
    };
    let (looking, wanted, name) = (Arc::clone(&shared), identity.clone(), id.clone());
    let found = blocking(move || find(&looking, &name, &wanted)).await;
    let Some((pidfd, members)) = found.map_err(error)? else {
        return Ok(None);
    };
    let pidfd = pidfd::watch(pidfd).map_err(|(_, e)| error(e))?;
    let entry = reserved.fill(|notice| Entry::new(identity.clone(), pidfd, members, notice));
    tokio::spawn(watch::watch(Arc::clone(&shared.table), Arc::clone(&entry)));
    tracing::debug!(instance = %id, pid = identity.pid, "adopted");
    Ok(Some(entry.running()))
}

/// The pidfd is opened before the start time is read: what the time says, it says of that process.
fn find(
    shared: &Shared,
    id: &InstanceId,
    wanted: &ProcessIdentity,
) -> io::Result<Option<(OwnedFd, Members)>> {
    if wanted.boot_id != identity::boot_id()? {
        return Ok(None);
    }
    let group = shared.limiter.existing(id);
    if let Some(pidfd) = pidfd::open(wanted.pid)?
        && let Some(stat) = procfs::stat(wanted.pid)?
        && stat.start_ticks == wanted.start_ticks
    {
        let in_group = stat.is_dead() || group.members()?.contains(&wanted.pid);
        let group = if in_group { group } else { Group::default() };
        return Ok(Some((
            pidfd,
            shared.members(id, Some(wanted.pid), wanted.start_ticks, group),
        )));
    }
    clear(&shared.members(id, None, wanted.start_ticks, group))?;
    Ok(None)
}

/// Kills what is left of an instance whose main process is gone.
fn clear(members: &Members) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !members.is_empty()? {
        if Instant::now() > deadline {
            return Err(io::Error::other(
                "what is left of it does not end after SIGKILL",
            ));
        }
        members.kill()?;
        std::thread::sleep(Duration::from_millis(2));
    }
    members.group.remove();
    Ok(())
}

/// Leaders of sessions that carry our scope in their environment; the oldest of each instance.
pub(super) fn survivors(shared: &Shared) -> io::Result<Vec<Survivor>> {
    let mut oldest: BTreeMap<InstanceId, ProcessIdentity> = BTreeMap::new();
    for pid in procfs::pids()? {
        let Some(id) = leads_an_instance(shared, pid) else {
            continue;
        };
        let Some(found) = identity::of(pid)? else {
            continue;
        };
        let known = oldest.entry(id).or_insert_with(|| found.clone());
        if found.start_ticks < known.start_ticks {
            *known = found;
        }
    }
    Ok(oldest
        .into_iter()
        .map(|(id, identity)| Survivor { id, identity })
        .collect())
}

fn leads_an_instance(shared: &Shared, pid: u32) -> Option<InstanceId> {
    let stat = procfs::stat(pid).ok()??;
    if stat.session != pid || stat.is_dead() {
        return None;
    }
    let [scope, id] = procfs::started_with(pid, [SCOPE_VARIABLE, INSTANCE_VARIABLE])?;
    (scope == shared.settings.scope).then(|| id.parse().ok())?
}
