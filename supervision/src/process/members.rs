//! All processes of an instance: found, signalled, killed, counted.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use model::InstanceId;
use rustix::process::Signal;

use super::environment::{INSTANCE_VARIABLE, SCOPE_VARIABLE};
use crate::cgroup::Group;
use crate::{Usage, pidfd, procfs};

/// How the processes of an instance are found: by its cgroup when it has one, otherwise by session
/// and environment.
#[derive(Clone, Debug)]
pub(super) struct Members {
    pub(super) id: InstanceId,
    pub(super) scope: String,
    /// The main process, which leads the session; `None` when it is not known to be ours any more.
    pub(super) leader: Option<u32>,
    /// When the main process started, in clock ticks since boot.
    pub(super) since_ticks: u64,
    pub(super) group: Group,
    /// The id as it stands in the environment.
    pub(super) name: String,
}

impl Members {
    /// Everyone who runs; zombies do not.
    pub(super) fn list(&self) -> io::Result<Vec<u32>> {
        if self.group.exists() {
            let mut pids = self.group.members()?;
            pids.retain(|pid| matches!(procfs::stat(*pid), Ok(Some(stat)) if !stat.is_dead()));
            return Ok(pids);
        }
        let me = std::process::id();
        let mut pids = procfs::pids()?;
        pids.retain(|pid| *pid != me && self.is_member(*pid));
        Ok(pids)
    }

    fn is_member(&self, pid: u32) -> bool {
        match procfs::stat(pid) {
            // Whoever started earlier descends from somebody else; most processes did.
            Ok(Some(stat)) if !stat.is_dead() && stat.start_ticks >= self.since_ticks => {
                self.leader == Some(stat.session) || self.carries_our_name(pid)
            }
            _ => false,
        }
    }

    fn carries_our_name(&self, pid: u32) -> bool {
        let said = procfs::started_with(pid, [SCOPE_VARIABLE, INSTANCE_VARIABLE]);
        said.is_some_and(|[scope, id]| scope == self.scope && id == self.name)
    }

    /// Whether nobody runs.
    pub(super) fn is_empty(&self) -> io::Result<bool> {
        if self.group.exists() {
            return self.group.is_populated().map(|populated| !populated);
        }
        self.list().map(|pids| pids.is_empty())
    }

    /// Signals everyone, the main process's own process group first.
    pub(super) fn signal(&self, leader: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
        if let Some(pid) = self.leader {
            pidfd::signal_group(leader, pid, signal)?;
        }
        for pid in self.list()? {
            if !self.is_in_leaders_group(pid) {
                self.signal_one(pid, signal)?;
            }
        }
        Ok(())
    }

    fn is_in_leaders_group(&self, pid: u32) -> bool {
        let pid = i32::try_from(pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let group = rustix::process::getpgid(pid).ok();
        let group = group.map(|group| group.as_raw_nonzero().get().unsigned_abs());
        group.is_some() && group == self.leader
    }

    /// Signals a process if it is a member still once its pidfd pins it down.
    fn signal_one(&self, pid: u32, signal: Signal) -> io::Result<()> {
        let Some(pidfd) = pidfd::open(pid)? else {
            return Ok(());
        };
        if self.list_contains(pid)? {
            pidfd::signal(pidfd.as_fd(), signal)?;
        }
        Ok(())
    }

    fn list_contains(&self, pid: u32) -> io::Result<bool> {
        if self.group.exists() {
            return Ok(self.group.members()?.contains(&pid));
        }
        Ok(self.is_member(pid))
    }

    /// SIGKILL to everyone. Without a cgroup one that forks meanwhile may escape: call it again.
    pub(super) fn kill(&self) -> io::Result<()> {
        if self.group.exists() {
            return self.group.kill();
        }
        for pid in self.list()? {
            self.signal_one(pid, Signal::KILL)?;
        }
        Ok(())
    }

    /// What they use. Without a cgroup only the main process is looked at when `leader` is all
    /// there is to go by, because a scan of `/proc` for each instance would cost too much.
    pub(super) fn usage(&self) -> io::Result<Usage> {
        let pids = match (self.group.exists(), self.leader) {
            (true, _) => self.group.members()?,
            (false, Some(leader)) => with_descendants(leader),
            (false, None) => Vec::new(),
        };
        let mut usage = Usage::default();
        let mut ticks = 0;
        for stat in pids
            .into_iter()
            .filter_map(|pid| procfs::stat(pid).ok().flatten())
        {
            ticks += stat.cpu_ticks;
            usage.rss_bytes += stat.rss_pages * rustix::param::page_size() as u64;
            usage.pids += u64::from(!stat.is_dead());
        }
        let of_processes = procfs::ticks_to_ms(ticks);
        usage.cpu_time_ms = self.group.cpu_time_ms().unwrap_or(of_processes);
        Ok(usage)
    }
}

/// A process and its children's children, as far as they kept their parents.
fn with_descendants(leader: u32) -> Vec<u32> {
    let mut pids = vec![leader];
    let mut next = 0;
    while let Some(pid) = pids.get(next).copied() {
        next += 1;
        let children = format!("/proc/{pid}/task/{pid}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        pids.extend(
            children
                .split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    pids
}
