//! The processes that a fleet under test left behind, known by a variable of their environment.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::PATIENCE;

/// The processes, zombies apart, whose environment holds all of these (`NAME=value`).
///
/// # Panics
/// Without `/proc`.
#[must_use]
pub fn processes_with(variables: &[&str]) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has_all = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let has = |wanted: &&str| {
            environment
                .split(|b| *b == 0)
                .any(|v| v == wanted.as_bytes())
        };
        variables.iter().all(has)
    };
    pids.filter(has_all).collect()
}

/// The variable that every process of a fleet on this data directory has.
#[must_use]
pub fn mark_of(data: &Path) -> String {
    format!("ORRERY_DATA={}", data.display())
}

/// Kills whatever runs on a data directory: instances, agents, scheduling, and a copy of it that
/// is about to become an instance. End scheduling before: it would start anew what is ended here.
pub fn end_fleet(data: &Path) {
    let mark = mark_of(data);
    let deadline = Instant::now() + PATIENCE;
    // Twice, because a process has no environment in the middle of its exec.
    let mut clean = 0;
    while clean < 2 && Instant::now() < deadline {
        let left = processes_with(&[&mark]);
        clean = if left.is_empty() { clean + 1 } else { 0 };
        for pid in left
            .into_iter()
            .filter_map(|pid| Pid::from_raw(pid.cast_signed()))
        {
            // One that has ended meanwhile is no longer there to be killed.
            let _ = kill_process(pid, Signal::KILL);
        }
        thread::sleep(Duration::from_millis(5)); // why: polls
    }
}
