//! The group of one instance.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The directories of an instance's group. They may have been made or not, and be gone by now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    unified: Option<PathBuf>,
    v1: Vec<PathBuf>,
    memory_v1: Option<PathBuf>,
}

/// What a child needs in order to be born in a group.
#[derive(Default)]
pub(crate) struct Doors {
    /// The v2 directory, for `CLONE_INTO_CGROUP`.
    pub(crate) unified: Option<OwnedFd>,
    /// The `cgroup.procs` files the child itself writes before it runs the program.
    pub(crate) v1: Vec<OwnedFd>,
}

impl Group {
    pub(crate) fn at(
        unified: Option<PathBuf>,
        v1: Vec<PathBuf>,
        memory_v1: Option<PathBuf>,
    ) -> Self {
        Self {
            unified,
            v1,
            memory_v1,
        }
    }

    pub(super) fn unified(&self) -> Option<&Path> {
        self.unified.as_deref()
    }

    pub(super) fn v1(&self) -> &[PathBuf] {
        &self.v1
    }

    /// Whether there is a group in the v2 tree, so that every member can be found and killed.
    pub(crate) fn exists(&self) -> bool {
        self.unified.as_ref().is_some_and(|dir| dir.exists())
    }

    /// Opens the ways in, to those of its directories that were made.
    pub(crate) fn doors(&self) -> io::Result<Doors> {
        let mut doors = Doors::default();
        if let Some(dir) = &self.unified {
            doors.unified = Some(File::open(dir)?.into());
        }
        for dir in self.v1.iter().filter(|dir| dir.exists()) {
            let procs = File::options().write(true).open(dir.join("cgroup.procs"))?;
            doors.v1.push(procs.into());
        }
        Ok(doors)
    }

    /// Everyone in it, groups that its members made inside it included.
    pub(crate) fn members(&self) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        if let Some(dir) = &self.unified {
            collect_members(dir, &mut pids)?;
        }
        Ok(pids)
    }

    /// Whether anyone in it still runs. One read; zombies do not count.
    pub(crate) fn is_populated(&self) -> io::Result<bool> {
        let Some(dir) = &self.unified else {
            return Ok(false);
        };
        match fs::read_to_string(dir.join("cgroup.events")) {
            Ok(events) => Ok(counter(&events, "populated") == Some(1)),
            Err(e) if is_gone(&e) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Sends SIGKILL to all of its members, those being born included. Works on stopped ones too.
    pub(crate) fn kill(&self) -> io::Result<()> {
        let Some(dir) = &self.unified else {
            return Ok(());
        };
        match fs::write(dir.join("cgroup.kill"), "1") {
            Err(e) if !is_gone(&e) => Err(e),
            _ => Ok(()),
        }
    }

    /// How often the kernel killed a member because the memory limit was reached.
    pub(crate) fn oom_kills(&self) -> u64 {
        let v1 = self
            .memory_v1
            .as_ref()
            .map(|dir| dir.join("memory.oom_control"));
        let v2 = self.unified.as_ref().map(|dir| dir.join("memory.events"));
        let count = |file: PathBuf| counter(&fs::read_to_string(file).ok()?, "oom_kill");
        v1.and_then(count)
            .or_else(|| v2.and_then(count))
            .unwrap_or(0)
    }

    /// CPU time of all that ever ran in it, in milliseconds; `None` when it has no v2 directory.
    pub(crate) fn cpu_time_ms(&self) -> Option<u64> {
        let stat = fs::read_to_string(self.unified.as_ref()?.join("cpu.stat")).ok()?;
        Some(counter(&stat, "usage_usec")? / 1000)
    }

    /// Removes its directories. Those with a member left stay; a later supervisor clears them.
    pub(crate) fn remove(&self) {
        for dir in self.v1.iter().chain(&self.unified) {
            if let Err(e) = remove_tree(dir) {
                tracing::debug!(dir = %dir.display(), error = %e, "a group could not be removed");
            }
        }
    }
}

fn collect_members(dir: &Path, pids: &mut Vec<u32>) -> io::Result<()> {
    match fs::read_to_string(dir.join("cgroup.procs")) {
        Ok(procs) => pids.extend(procs.lines().filter_map(|line| line.parse::<u32>().ok())),
        Err(e) if is_gone(&e) => return Ok(()),
        // A threaded group does not list processes; its parent does.
        Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(()),
        Err(e) => return Err(e),
    }
    for child in super::directories(dir) {
        collect_members(&child, pids)?;
    }
    Ok(())
}

/// Removes a group and the groups inside it; one that is not there is no error.
pub(super) fn remove_tree(dir: &Path) -> io::Result<()> {
    for child in super::directories(dir) {
        remove_tree(&child)?;
    }
    match fs::remove_dir(dir) {
        Err(e) if !is_gone(&e) => Err(e),
        _ => Ok(()),
    }
}

/// A group that is being removed answers ENODEV for a moment.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

/// The value of `name value` in a file of such lines.
fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        (key == name).then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_whole_name() {
        let text = "oom 3\noom_kill 2\noom_kill_other 9\n";
        assert_eq!(counter(text, "oom_kill"), Some(2));
        assert_eq!(counter(text, "kill"), None);
    }

    #[test]
    fn a_group_that_is_not_there_is_empty_and_harmless() {
        let group = Group::at(
            Some("/nowhere/group".into()),
            vec!["/nowhere/v1".into()],
            None,
        );
        assert!(!group.exists());
        assert!(!group.is_populated().unwrap());
        assert_eq!(group.members().unwrap(), Vec::<u32>::new());
        group.kill().unwrap();
        group.remove();
        assert_eq!(group.oom_kills(), 0);
    }
}
