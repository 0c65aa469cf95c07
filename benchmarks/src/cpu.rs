//! Which core runs what, and how long it ran.

use std::fs;
use std::io;

use rustix::thread::{CpuSet, sched_setaffinity};

/// Keeps this thread, and the threads it starts from now on, on one core.
///
/// # Errors
/// What the kernel answers, for a core that does not exist say.
pub(crate) fn stay_on(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// CPU time that a process has used, all its threads together, in nanoseconds.
///
/// # Errors
/// If the process is gone, or the kernel keeps no such account (`/proc/<pid>/schedstat`).
pub(crate) fn used_ns(process: u32) -> io::Result<u64> {
    let mut sum_ns = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let account = fs::read_to_string(thread?.path().join("schedstat"))?;
        let first = account.split(' ').next().unwrap_or_default();
        sum_ns += first.parse::<u64>().map_err(io::Error::other)?;
    }
    Ok(sum_ns)
}
