//! From here to there: `clone3`, then what the child does until `execve`.
//!
//! `std::process::Command` cannot be used: a child has to be born inside its cgroup. Writing its
//! pid
//! to `cgroup.procs` between fork and exec would do too, but the first such write after a while
//! waits for an RCU grace period (8 ms measured here), and `CLONE_INTO_CGROUP` does not (40 us).
//!
//! Everything that allocates happens before the clone. Between clone and exec the child is a copy
//! of one thread of a program with many, so it makes system calls and nothing else.

use std::ffi::{CString, c_char, c_int, c_uint};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::pipe::PipeFlags;
use rustix::process::{WaitId, WaitIdOptions};

use crate::cgroup::Doors;

/// All that a child needs, ready to use without allocation.
pub(super) struct Prepared {
    pub(super) program: CString,
    pub(super) args: Vec<CString>,
    pub(super) env: Vec<CString>,
    pub(super) working_dir: Option<CString>,
    /// What becomes file descriptors 0, 1 and 2.
    pub(super) stdio: [OwnedFd; 3],
    /// What stays open, under the same numbers.
    pub(super) handed: Vec<OwnedFd>,
    pub(super) doors: Doors,
}

/// A child whose program runs.
pub(super) struct Born {
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
}

/// The step at which a start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Step {
    Clone,
    Session,
    Cgroup,
    Stdio,
    WorkingDir,
    CloseOthers,
    HandOver,
    Exec,
}

impl Step {
    const ALL: [Self; 8] = [
        Self::Clone,
        Self::Session,
        Self::Cgroup,
        Self::Stdio,
        Self::WorkingDir,
        Self::CloseOthers,
        Self::HandOver,
        Self::Exec,
    ];

    /// For "failed to ...".
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Clone => "make a process",
            Self::Session => "start a session",
            Self::Cgroup => "enter the cgroup",
            Self::Stdio => "set up standard input and output",
            Self::WorkingDir => "enter the working directory",
            Self::CloseOthers => "close inherited file descriptors",
            Self::HandOver => "hand over the secrets",
            Self::Exec => "execute the program",
        }
    }
}

/// Starts the child and waits until its program runs. Blocks for about half a millisecond.
pub(super) fn start(prepared: &Prepared) -> Result<Born, (Step, io::Error)> {
    let at = |step| move |e: io::Error| (step, e);
    let mut files = prepared.stdio.iter().chain(&prepared.handed);
    if files.any(|fd| fd.as_raw_fd() < 3) {
        // Would be overwritten while it is put into place.
        let source = io::Error::other("the supervisor runs without standard file descriptors");
        return Err((Step::Stdio, source));
    }
    let argv = pointers(&prepared.args);
    let envp = pointers(&prepared.env);
    let (tell, told) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
        .map(|(read, write)| (write, read))
        .map_err(|e| at(Step::Clone)(e.into()))?;
    let script = Script {
        prepared,
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        tell: tell.as_raw_fd(),
    };
    let born = clone_with_signals_blocked(&script).map_err(at(Step::Clone))?;
    drop(tell);
    match read_failure(told) {
        None => Ok(born),
        Some(failure) => {
            let _ = rustix::process::waitid(
                WaitId::PidFd(std::os::fd::AsFd::as_fd(&born.pidfd)),
                WaitIdOptions::EXITED,
            );
            Err(failure)
        }
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings
        .iter()
        .map(|s| s.as_ptr())
        .chain([ptr::null()])
        .collect()
}

/// The pipe ends without a word when `execve` closes it.
fn read_failure(told: OwnedFd) -> Option<(Step, io::Error)> {
    let mut message = [0; 5];
    File::from(told).read_exact(&mut message).ok()?;
    let [step, errno @ ..] = message;
    let step = Step::ALL
        .get(usize::from(step))
        .copied()
        .unwrap_or(Step::Exec);
    Some((
        step,
        io::Error::from_raw_os_error(i32::from_ne_bytes(errno)),
    ))
}

/// What the child reads; valid in its copy of our memory.
struct Script<'a> {
    prepared: &'a Prepared,
    argv: *const *const c_char,
    envp: *const *const c_char,
    tell: RawFd,
}

/// With all signals blocked, so that no handler of ours (tokio's writes to a socket that the child
/// shares with us) runs in the child.
fn clone_with_signals_blocked(script: &Script<'_>) -> io::Result<Born> {
    // SAFETY: both sets are plain data which these calls initialise; the mask of this thread is
    // put back in the same function.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let born = clone(script);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        born
    }
}

/// From `linux/sched.h`; libc's constant is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// # Safety
/// All signals are blocked in this thread.
unsafe fn clone(script: &Script<'_>) -> io::Result<Born> {
    let mut pidfd: RawFd = -1;
    // SAFETY: all zeroes is a valid `clone_args`.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(group) = &script.prepared.doors.unified {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = group.as_raw_fd() as u64;
    }
    let size = size_of::<libc::clone_args>();
    // SAFETY: without CLONE_VM this is a fork: the child has its own copy of this memory. It makes
    // nothing but system calls until it executes a program or exits.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size) };
    match pid {
        0 => {
            // SAFETY: we are the child, with all signals blocked.
            unsafe { run_child(script) }
        }
        pid if pid > 0 => Ok(Born {
            pid: u32::try_from(pid).map_err(io::Error::other)?,
            // SAFETY: the kernel has just made this descriptor for us.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// # Safety
/// Only in a child that `clone` has just made: single-threaded, all signals blocked.
unsafe fn run_child(script: &Script<'_>) -> ! {
    // SAFETY: as ours; these functions are async-signal-safe.
    unsafe {
        let step = become_program(script);
        let errno = *libc::__errno_location();
        let [a, b, c, d] = errno.to_ne_bytes();
        let message = [step as u8, a, b, c, d];
        libc::write(script.tell, message.as_ptr().cast(), message.len());
        libc::_exit(127)
    }
}

/// Returns only when a step fails; `errno` says why.
///
/// # Safety
/// As [`run_child`].
unsafe fn become_program(script: &Script<'_>) -> Step {
    const CLOSE_RANGE_CLOEXEC: c_uint = 1 << 2;
    const LAST_SIGNAL: c_int = 64;
    const MASK_BYTES: usize = 8;
    let prepared = script.prepared;
    // SAFETY: every call is async-signal-safe and gets pointers into our copy of the memory.
    unsafe {
        // Handlers become default by exec, ignored signals do not (nohup ignores SIGHUP).
        // By system call, because libc refuses two signals that it keeps for itself; zeroes are
        // the default disposition.
        let default = [0_u64; 4];
        for signal in 1..=LAST_SIGNAL {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                &raw const default,
                0,
                MASK_BYTES,
            );
        }
        if libc::setsid() < 0 {
            return Step::Session;
        }
        for door in &prepared.doors.v1 {
            if libc::write(door.as_raw_fd(), b"0".as_ptr().cast(), 1) < 0 {
                return Step::Cgroup;
            }
        }
        for (target, fd) in prepared.stdio.iter().enumerate() {
            if libc::dup2(fd.as_raw_fd(), target as c_int) < 0 {
                return Step::Stdio;
            }
        }
        if let Some(dir) = &prepared.working_dir
            && libc::chdir(dir.as_ptr()) < 0
        {
            return Step::WorkingDir;
        }
        let last = c_uint::MAX;
        if libc::syscall(
            libc::SYS_close_range,
            3 as c_uint,
            last,
            CLOSE_RANGE_CLOEXEC,
        ) < 0
        {
            return Step::CloseOthers;
        }
        for fd in &prepared.handed {
            if libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) < 0 {
                return Step::HandOver;
            }
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::execve(prepared.program.as_ptr(), script.argv, script.envp);
        Step::Exec
    }
}
