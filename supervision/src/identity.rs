//! Telling a process from every other one, ever: boot, pid, start time.

use std::fs;
use std::io;
use std::sync::OnceLock;

use model::ProcessIdentity;

use crate::procfs;

/// Which boot of this machine this is.
///
/// # Errors
/// `/proc` is not mounted.
pub fn boot_id() -> io::Result<&'static str> {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    if let Some(id) = BOOT_ID.get() {
        return Ok(id);
    }
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(BOOT_ID.get_or_init(|| id.trim().to_owned()))
}

/// The identity of the process that has this pid now; `None` when there is none.
///
/// # Errors
/// `/proc` cannot be read.
pub fn of(pid: u32) -> io::Result<Option<ProcessIdentity>> {
    let Some(stat) = procfs::stat(pid)? else {
        return Ok(None);
    };
    Ok(Some(ProcessIdentity {
        boot_id: boot_id()?.to_owned(),
        pid,
        start_ticks: stat.start_ticks,
    }))
}

/// Whether this very process still runs (a zombie does not).
///
/// # Errors
/// `/proc` cannot be read.
pub fn is_alive(identity: &ProcessIdentity) -> io::Result<bool> {
    if identity.boot_id != boot_id()? {
        return Ok(false);
    }
    let stat = procfs::stat(identity.pid)?;
    Ok(stat.is_some_and(|s| s.start_ticks == identity.start_ticks && !s.is_dead()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_with_other_start_ticks_or_boot_it_is_another_one() {
        let me = of(std::process::id()).unwrap().unwrap();
        assert!(is_alive(&me).unwrap());
        let mut earlier = me.clone();
        earlier.start_ticks -= 1;
        assert!(!is_alive(&earlier).unwrap());
        let mut other_boot = me;
        other_boot.boot_id = "another boot".to_owned();
        assert!(!is_alive(&other_boot).unwrap());
    }

    #[test]
    fn a_pid_nobody_has_identifies_nothing() {
        assert_eq!(of(u32::MAX / 2).unwrap(), None);
    }
}
