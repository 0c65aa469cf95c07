//! Which limits this machine can enforce, and the groups that do it.
//!
//! A group of an instance is one directory in the v2 tree, for killing and for CPU time, and one in
//! each v1 hierarchy that has to enforce a limit the v2 tree cannot (a hybrid machine). They lie
//! under `orrery/SCOPE/` at the root of each hierarchy. The scope's directory is locked while its
//! supervisor lives, so that another one may clear away what a dead one left.

mod group;
mod limits;
mod mounts;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use model::InstanceId;

pub(crate) use group::{Doors, Group};
pub(crate) use mounts::Mounts;

use crate::Limit;

/// The directory in each hierarchy that holds all scopes.
const ROOT: &str = "orrery";

/// What can be enforced here; each `Err` says why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforcement {
    /// Limits of CPU time.
    pub cpu: Result<(), String>,
    /// Limits of memory.
    pub memory: Result<(), String>,
    /// Limits of processes and threads.
    pub pids: Result<(), String>,
    /// Killing all of an instance's processes, wherever they went.
    pub kill: Result<(), String>,
}

/// Makes groups for instances. See [`Limiter::enforcement`] for what it can do on this machine.
#[derive(Debug)]
pub struct Limiter {
    /// The scope's directory in the v2 tree.
    unified: Result<PathBuf, String>,
    cpu: Controller,
    memory: Controller,
    pids: Controller,
    /// Holds the lock on the scope.
    _lock: Option<File>,
}

/// Where a kind of limit is set.
#[derive(Clone, Debug)]
enum Controller {
    /// The scope's directory in a v1 hierarchy.
    V1(PathBuf),
    /// In the v2 tree.
    V2,
    /// Nowhere, because.
    None(String),
}

impl Limiter {
    /// Looks at this machine's cgroups, makes `orrery/SCOPE` in them, and clears away the empty
    /// groups of supervisors that are gone. Never fails: what does not work is told by
    /// [`Limiter::enforcement`].
    #[must_use]
    pub fn detect(scope: &str) -> Self {
        match Mounts::of_this_machine() {
            Ok(mounts) => Self::in_mounts(&mounts, scope),
            Err(e) => Self::off(&format!("/proc/self/mountinfo cannot be read: {e}")),
        }
    }

    /// One that makes no groups, because.
    #[must_use]
    pub fn off(why: &str) -> Self {
        let none = || Controller::None(why.to_owned());
        Self {
            unified: Err(why.to_owned()),
            cpu: none(),
            memory: none(),
            pids: none(),
            _lock: None,
        }
    }

    pub(crate) fn in_mounts(mounts: &Mounts, scope: &str) -> Self {
        let locked = match &mounts.unified {
            Some(mount) => make_locked_scope(mount, scope),
            None => Err("no cgroup v2 tree is mounted".to_owned()),
        };
        let (unified, lock) = match locked {
            Ok((dir, lock)) => (Ok(dir), Some(lock)),
            Err(why) => (Err(why), None),
        };
        let controller = |which| controller(mounts, unified.as_deref().ok(), scope, which);
        let limiter = Self {
            cpu: controller(Limit::Cpu),
            memory: controller(Limit::Memory),
            pids: controller(Limit::Pids),
            unified,
            _lock: lock,
        };
        for mount in mounts.all() {
            clear_dead_scopes(mounts, &mount.join(ROOT), scope);
            clear_empty_groups(&mount.join(ROOT).join(scope));
        }
        limiter
    }

    /// What can be enforced on this machine.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        Enforcement {
            cpu: self.cpu.works(),
            memory: self.memory.works(),
            pids: self.pids.works(),
            kill: self.unified.clone().map(drop),
        }
    }

    fn controller(&self, which: Limit) -> &Controller {
        match which {
            Limit::Cpu => &self.cpu,
            Limit::Memory => &self.memory,
            Limit::Pids => &self.pids,
        }
    }

    /// The group an instance has, if it has one.
    pub(crate) fn existing(&self, id: &InstanceId) -> Group {
        let name = id.to_string();
        let unified = self.unified.as_ref().ok().map(|dir| dir.join(&name));
        let mut v1: Vec<PathBuf> = Vec::new();
        for controller in [&self.cpu, &self.memory, &self.pids] {
            if let Controller::V1(dir) = controller {
                v1.push(dir.join(&name));
            }
        }
        let memory_v1 = match &self.memory {
            Controller::V1(dir) => Some(dir.join(&name)),
            _ => None,
        };
        Group::at(unified, v1, memory_v1)
    }

    /// The instance whose group a path of the v2 tree (as in `/proc/PID/cgroup`) lies in.
    pub(crate) fn instance_at(&self, path: &str) -> Option<InstanceId> {
        let scope = self.unified.as_ref().ok()?.file_name()?.to_str()?;
        let rest = path.strip_prefix(&format!("/{ROOT}/{scope}/"))?;
        rest.split('/').next()?.parse().ok()
    }
}

impl Controller {
    fn works(&self) -> Result<(), String> {
        match self {
            Self::None(why) => Err(why.clone()),
            Self::V1(_) | Self::V2 => Ok(()),
        }
    }
}

fn make_scope(mount: &Path, scope: &str) -> Result<PathBuf, String> {
    let dir = mount.join(ROOT).join(scope);
    fs::create_dir_all(&dir).map_err(|e| format!("{} cannot be made: {e}", dir.display()))?;
    let procs = dir.join("cgroup.procs");
    if !procs.exists() {
        return Err(format!("{} is not in a cgroup tree", dir.display()));
    }
    Ok(dir)
}

/// v1 where it has the controller, because then v2 cannot have it; v2 otherwise.
fn controller(
    mounts: &Mounts,
    unified_scope: Option<&Path>,
    scope: &str,
    which: Limit,
) -> Controller {
    let name = which.to_string();
    if let Some(mount) = mounts.v1.get(&name) {
        return match make_scope(mount, scope) {
            Ok(dir) => Controller::V1(dir),
            Err(why) => Controller::None(why),
        };
    }
    let (Some(mount), Some(_)) = (&mounts.unified, unified_scope) else {
        return Controller::None(format!("there is no cgroup tree with a {name} controller"));
    };
    match enable_v2(mount, scope, &name) {
        Ok(()) => Controller::V2,
        Err(why) => Controller::None(why),
    }
}

/// A controller works in a group when every directory above hands it down.
fn enable_v2(mount: &Path, scope: &str, name: &str) -> Result<(), String> {
    let above = mount.join(ROOT);
    for dir in [mount.to_owned(), above.clone(), above.join(scope)] {
        let file = dir.join("cgroup.subtree_control");
        let enabled = fs::read_to_string(&file).unwrap_or_default();
        if enabled.split_whitespace().any(|word| word == name) {
            continue;
        }
        fs::write(&file, format!("+{name}")).map_err(|e| {
            let file = file.display();
            format!("the {name} controller cannot be enabled in {file}: {e}")
        })?;
    }
    Ok(())
}

/// Shared: two runtimes of one scope (a restart that overlaps) do not lock each other out.
///
/// Another supervisor may clear the directory away before the lock is on it; then it is made again.
fn make_locked_scope(mount: &Path, scope: &str) -> Result<(PathBuf, File), String> {
    for _ in 0..100 {
        let dir = make_scope(mount, scope)?;
        let Ok(lock) = File::open(&dir) else {
            continue;
        };
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockShared)
            .map_err(|e| format!("{} cannot be locked: {e}", dir.display()))?;
        if dir.exists() {
            return Ok((dir, lock));
        }
    }
    Err(format!(
        "{scope} is cleared away again and again by another supervisor"
    ))
}

/// Removes the groups of scopes whose supervisors are gone and whose processes are too. `rmdir`
/// refuses when a process is left, so nothing that waits for its adoption is lost.
fn clear_dead_scopes(mounts: &Mounts, root: &Path, own: &str) {
    let Some(unified) = &mounts.unified else {
        return;
    };
    for scope in directories(root) {
        let Some(name) = scope.file_name().filter(|name| *name != own) else {
            continue;
        };
        let lock = File::open(unified.join(ROOT).join(name));
        let exclusive = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        let dead = match &lock {
            Ok(lock) => rustix::fs::flock(lock, exclusive).is_ok(),
            Err(e) => e.kind() == io::ErrorKind::NotFound,
        };
        if dead {
            clear_empty_groups(&scope);
            let _ = fs::remove_dir(&scope);
        }
    }
}

fn clear_empty_groups(scope: &Path) {
    for group in directories(scope) {
        let _ = group::remove_tree(&group);
    }
}

/// The directories in a directory; none when it cannot be read.
fn directories(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_machine_without_cgroups_every_refusal_says_why() {
        let limiter = Limiter::in_mounts(&Mounts::default(), "test");
        let enforcement = limiter.enforcement();
        assert_eq!(
            enforcement.memory,
            Err("there is no cgroup tree with a memory controller".to_owned())
        );
        assert_eq!(
            enforcement.kill,
            Err("no cgroup v2 tree is mounted".to_owned())
        );
    }

    #[test]
    fn a_tree_that_cannot_be_written_is_named_in_the_refusal() {
        let mounts = Mounts {
            unified: Some("/proc".into()),
            ..Mounts::default()
        };
        let kill = Limiter::in_mounts(&mounts, "test").enforcement().kill;
        assert!(
            kill.unwrap_err()
                .starts_with("/proc/orrery/test cannot be made")
        );
    }

    #[test]
    fn a_path_in_the_v2_tree_names_its_instance_however_deep_it_is() {
        let mut limiter = Limiter::off("test");
        limiter.unified = Ok("/sys/fs/cgroup/orrery/node-1".into());
        let id = |path| limiter.instance_at(path).map(|id| id.to_string());
        assert_eq!(id("/orrery/node-1/echo.2.7").as_deref(), Some("echo.2.7"));
        assert_eq!(
            id("/orrery/node-1/echo.2.7/a/b").as_deref(),
            Some("echo.2.7")
        );
        assert_eq!(id("/orrery/node-2/echo.2.7"), None);
        assert_eq!(id("/"), None);
    }
}
