//! Setting the limits of a group, in either version's words.

use std::fs;
use std::io;
use std::path::Path;

use model::{InstanceId, Limits};

use super::{Controller, Group, Limiter};
use crate::{Limit, SpawnError};

/// The kernel's period of CPU accounting that the quota refers to, in microseconds.
const CPU_PERIOD_US: u64 = 100_000;
/// The kernel's smallest quota is one millisecond in a period.
const CPU_MILLICORES_MIN: u64 = 10;

impl Limiter {
    /// Makes the group of a new instance and sets its limits. All or nothing.
    ///
    /// # Errors
    /// A limit that cannot be enforced, or a group that cannot be made.
    pub(crate) fn make(&self, id: &InstanceId, limits: &Limits) -> Result<Group, SpawnError> {
        self.check(limits)?;
        let all = self.existing(id);
        let mut v1 = Vec::new();
        for (which, _) in wanted(limits) {
            if let Controller::V1(dir) = self.controller(which) {
                v1.push(dir.join(id.to_string()));
            }
        }
        let memory_v1 = match &self.memory {
            Controller::V1(dir) if limits.memory_bytes.is_some() => Some(dir.join(id.to_string())),
            _ => None,
        };
        let group = Group::at(all.unified().map(Path::to_owned), v1, memory_v1);
        match make_and_set(self, &group, id, limits) {
            Ok(()) => Ok(group),
            Err(e) => {
                if !matches!(e, SpawnError::AlreadyRunning { .. }) {
                    group.remove();
                }
                Err(e)
            }
        }
    }

    fn check(&self, limits: &Limits) -> Result<(), SpawnError> {
        for (which, value) in wanted(limits) {
            let works = match which {
                Limit::Cpu if value < CPU_MILLICORES_MIN => Err(format!(
                    "the kernel enforces {CPU_MILLICORES_MIN} millicores or more"
                )),
                _ => self.controller(which).works(),
            };
            works.map_err(|why| SpawnError::LimitNotEnforceable { which, why })?;
        }
        Ok(())
    }
}

fn wanted(limits: &Limits) -> impl Iterator<Item = (Limit, u64)> {
    [
        (Limit::Cpu, limits.cpu_millicores),
        (Limit::Memory, limits.memory_bytes),
        (Limit::Pids, limits.pids),
    ]
    .into_iter()
    .filter_map(|(which, value)| Some((which, value?)))
}

fn make_and_set(
    limiter: &Limiter,
    group: &Group,
    id: &InstanceId,
    limits: &Limits,
) -> Result<(), SpawnError> {
    for dir in group
        .unified()
        .into_iter()
        .chain(group.v1().iter().map(AsRef::as_ref))
    {
        match fs::create_dir(dir) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => make_anew(group, dir, id)?,
            Err(source) => {
                return Err(SpawnError::System {
                    what: "make a cgroup",
                    source,
                });
            }
        }
    }
    for (which, value) in wanted(limits) {
        let name = id.to_string();
        let (dir, version) = match limiter.controller(which) {
            Controller::V1(dir) => (dir.join(name), 1),
            _ => (
                group.unified().unwrap_or(Path::new("/nowhere")).to_owned(),
                2,
            ),
        };
        set(&dir, version, which, value).map_err(|e| SpawnError::LimitNotEnforceable {
            which,
            why: format!("setting it in {} failed: {e}", dir.display()),
        })?;
    }
    Ok(())
}

/// An empty group of this name is what an earlier try left behind, with its limits; one with
/// members is an instance.
fn make_anew(group: &Group, dir: &Path, id: &InstanceId) -> Result<(), SpawnError> {
    let system = |source| SpawnError::System {
        what: "make a cgroup anew",
        source,
    };
    if group.is_populated().map_err(system)? {
        return Err(SpawnError::AlreadyRunning { id: id.clone() });
    }
    super::group::remove_tree(dir).map_err(system)?;
    fs::create_dir(dir).map_err(system)
}

fn set(dir: &Path, version: u8, which: Limit, value: u64) -> io::Result<()> {
    let write = |file: &str, text: String| fs::write(dir.join(file), text);
    let quota_us = value.saturating_mul(CPU_PERIOD_US / 1000);
    match (version, which) {
        (1, Limit::Cpu) => {
            write("cpu.cfs_period_us", CPU_PERIOD_US.to_string())?;
            write("cpu.cfs_quota_us", quota_us.to_string())
        }
        (1, Limit::Memory) => {
            write("memory.limit_in_bytes", value.to_string())?;
            // Without this file the kernel counts no swap, so there is none to limit.
            match write("memory.memsw.limit_in_bytes", value.to_string()) {
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            }
        }
        (_, Limit::Cpu) => write("cpu.max", format!("{quota_us} {CPU_PERIOD_US}")),
        (_, Limit::Memory) => {
            write("memory.max", value.to_string())?;
            match write("memory.swap.max", "0".to_owned()) {
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            }
        }
        (_, Limit::Pids) => write("pids.max", value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(version: u8, which: Limit, value: u64) -> Vec<(String, String)> {
        let dir = tempfile::tempdir().unwrap();
        set(dir.path(), version, which, value).unwrap();
        let mut files: Vec<(String, String)> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let text = fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), text)
            })
            .collect();
        files.sort();
        files
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn a_limit_is_said_in_the_words_of_each_version() {
        let half = pairs(&[
            ("cpu.cfs_period_us", "100000"),
            ("cpu.cfs_quota_us", "50000"),
        ]);
        assert_eq!(written(1, Limit::Cpu, 500), half);
        assert_eq!(
            written(2, Limit::Cpu, 500),
            pairs(&[("cpu.max", "50000 100000")])
        );
        let v1 = pairs(&[
            ("memory.limit_in_bytes", "64"),
            ("memory.memsw.limit_in_bytes", "64"),
        ]);
        assert_eq!(written(1, Limit::Memory, 64), v1);
        let v2 = pairs(&[("memory.max", "64"), ("memory.swap.max", "0")]);
        assert_eq!(written(2, Limit::Memory, 64), v2);
        assert_eq!(written(1, Limit::Pids, 8), pairs(&[("pids.max", "8")]));
        assert_eq!(written(2, Limit::Pids, 8), pairs(&[("pids.max", "8")]));
    }

    #[test]
    fn less_cpu_than_the_kernel_can_enforce_is_refused() {
        let limits = Limits {
            cpu_millicores: Some(9),
            ..Limits::default()
        };
        let id = "a.0.1".parse().unwrap();
        let refused = Limiter::off("off").make(&id, &limits).unwrap_err();
        assert!(
            refused.to_string().contains("10 millicores or more"),
            "{refused}"
        );
    }
}
