//! Where cgroup trees are mounted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

/// The cgroup file systems of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mounts {
    /// The v2 tree.
    pub(crate) unified: Option<PathBuf>,
    /// The v1 hierarchies, by controller.
    pub(crate) v1: BTreeMap<String, PathBuf>,
}

impl Mounts {
    pub(crate) fn of_this_machine() -> io::Result<Self> {
        Ok(Self::parse(&fs::read_to_string("/proc/self/mountinfo")?))
    }

    /// Reads the format of proc(5): `id parent dev root mount options... - type source options`.
    fn parse(mountinfo: &str) -> Self {
        let mut mounts = Self::default();
        for line in mountinfo.lines() {
            let Some((before, after)) = line.split_once(" - ") else {
                continue;
            };
            let Some(mount) = before.split(' ').nth(4).map(PathBuf::from) else {
                continue;
            };
            let mut after = after.split(' ');
            match after.next() {
                Some("cgroup2") => mounts.unified = mounts.unified.or(Some(mount)),
                Some("cgroup") => {
                    for option in after.nth(1).unwrap_or_default().split(',') {
                        mounts.v1.entry(option.to_owned()).or_insert(mount.clone());
                    }
                }
                _ => {}
            }
        }
        mounts
    }

    /// Each of them that is used here.
    pub(crate) fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.unified.iter().chain(
            ["cpu", "memory", "pids"]
                .into_iter()
                .filter_map(|name| self.v1.get(name)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_machine_has_a_v2_tree_and_v1_hierarchies() {
        let mounts = Mounts::parse(
            "30 29 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
             31 29 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             38 29 0:34 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
             39 29 0:35 / /tmp rw - tmpfs tmpfs rw\n",
        );
        assert_eq!(mounts.unified, Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(mounts.v1["cpuacct"], PathBuf::from("/sys/fs/cgroup/cpu"));
        assert_eq!(mounts.v1["memory"], PathBuf::from("/sys/fs/cgroup/memory"));
        assert_eq!(mounts.v1.get("pids"), None);
        assert_eq!(mounts.all().count(), 3);
    }

    #[test]
    fn nonsense_is_passed_over() {
        assert_eq!(
            Mounts::parse("\n-\n a - cgroup2\nx y - cgroup"),
            Mounts::default()
        );
    }
}
