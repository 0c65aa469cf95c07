//! What a pidfd can do: name one process for ever, signal it, tell when and how it ended.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use model::Exit;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::procfs;

/// `None` when there is no such process.
pub(crate) fn open(pid: u32) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Ok(None);
    };
    match rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK) {
        Ok(pidfd) => Ok(Some(pidfd)),
        // EINVAL: the pid is one of a thread, so the process of that pid has gone.
        Err(Errno::SRCH | Errno::INVAL) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Lets tokio tell when it ends. Gives the pidfd back when that is not possible.
pub(crate) fn watch(pidfd: OwnedFd) -> Result<AsyncFd<OwnedFd>, (OwnedFd, io::Error)> {
    // SAFETY: an `OwnedFd` is the same open descriptor from here to its drop, and only shared
    // references to it are taken out of the `AsyncFd`.
    let watched = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
    watched.map_err(tokio::io::unix::AsyncFdRegisterError::into_parts)
}

/// Ends and reaps a child that nobody is going to watch.
pub(crate) fn kill_and_reap(pidfd: impl AsFd) {
    let _ = signal(&pidfd, Signal::KILL);
    let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
}

/// Whether it has ended (it may be a zombie still).
pub(crate) fn has_ended(pidfd: impl AsFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    Ok(rustix::event::poll(&mut fds, Some(&now))? > 0)
}

/// Signals the process; one that has gone already is no error.
pub(crate) fn signal(pidfd: impl AsFd, signal: Signal) -> io::Result<()> {
    match rustix::process::pidfd_send_signal(pidfd, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Signals the process group this process leads; none left is no error.
///
/// Since Linux 6.9 the kernel does it by pidfd, which no reuse of the number can misdirect. Before,
/// it goes by number, and only while the leader is there to hold the number.
pub(crate) fn signal_group(pidfd: impl AsFd, leader: u32, signal: Signal) -> io::Result<()> {
    const PIDFD_SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: the fourth argument (siginfo) may be null, and the others are plain numbers.
    let done = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            fd,
            signal.as_raw(),
            std::ptr::null::<libc::siginfo_t>(),
            PIDFD_SIGNAL_PROCESS_GROUP,
        )
    };
    if done == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ESRCH) => Ok(()),
        Some(libc::EINVAL) => signal_group_by_number(pidfd, leader, signal),
        _ => Err(error),
    }
}

fn signal_group_by_number(pidfd: impl AsFd, leader: u32, signal: Signal) -> io::Result<()> {
    let Some(group) = i32::try_from(leader).ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    if has_ended(pidfd)? {
        return Ok(());
    }
    match rustix::process::kill_process_group(group, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// How a process that has ended did so: by reaping it when it is our child, otherwise from its
/// zombie or from the kernel's memory of it. Waits up to two seconds for the latter, because
/// between the zombie and the memory its new parent has to do its part.
pub(crate) async fn exit_of(pidfd: &impl AsFd, pid: u32, start_ticks: u64) -> Exit {
    let mut pause = Duration::from_millis(1);
    for _ in 0..12 {
        if let Some(exit) = exit_now(pidfd, pid, start_ticks) {
            return exit;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
    Exit::Unknown
}

fn exit_now(pidfd: &impl AsFd, pid: u32, start_ticks: u64) -> Option<Exit> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    if let Ok(Some(status)) = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options) {
        let code = status.exit_status().map(Exit::Code);
        return code.or_else(|| status.terminating_signal().map(Exit::Signal));
    }
    let zombie = procfs::stat(pid).ok().flatten();
    if let Some(stat) = zombie.filter(|s| s.start_ticks == start_ticks && s.state == b'Z')
        && may_read_exit_code(pid)
    {
        return Some(from_wait_status(stat.exit_code));
    }
    remembered_exit(pidfd)
}

/// Others see 0 as the exit code of a zombie, which is not to be taken for success.
fn may_read_exit_code(pid: u32) -> bool {
    let me = rustix::process::geteuid();
    let owner = std::fs::metadata(format!("/proc/{pid}")).map(|metadata| metadata.uid());
    me.is_root() || owner.is_ok_and(|owner| owner == me.as_raw())
}

fn from_wait_status(status: i32) -> Exit {
    match status & 0x7f {
        0 => Exit::Code((status >> 8) & 0xff),
        signal => Exit::Signal(signal),
    }
}

/// `struct pidfd_info` of `linux/pidfd.h`, in its first published size.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup_id: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// What the kernel (6.15 and newer) remembers of a process that was reaped by somebody else, for
/// those who opened a pidfd before.
fn remembered_exit(pidfd: &impl AsFd) -> Option<Exit> {
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    // _IOWR(0xFF, 11, struct pidfd_info)
    const PIDFD_GET_INFO: libc::c_ulong =
        (3 << 30) | ((size_of::<PidfdInfo>() as libc::c_ulong) << 16) | (0xFF << 8) | 11;
    let mut info = PidfdInfo {
        mask: PIDFD_INFO_EXIT,
        ..PidfdInfo::default()
    };
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: the request's size field says how large `info` is; the kernel writes no more.
    let done = unsafe { libc::ioctl(fd, PIDFD_GET_INFO as _, &raw mut info) };
    (done == 0 && info.mask & PIDFD_INFO_EXIT != 0).then(|| from_wait_status(info.exit_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_status_tells_code_from_signal_and_ignores_the_core_dump_bit() {
        assert_eq!(from_wait_status(42 << 8), Exit::Code(42));
        assert_eq!(from_wait_status(9), Exit::Signal(9));
        assert_eq!(from_wait_status(0x80 | 11), Exit::Signal(11));
    }

    #[test]
    fn the_info_has_the_size_the_kernel_published_first() {
        assert_eq!(size_of::<PidfdInfo>(), 64);
    }
}
