//! Which instances run here, and who hears of them.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Exit, InstanceId, ProcessIdentity};
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::Instant;

use super::members::Members;
use crate::{Notice, Running};

/// An instance that runs.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) identity: ProcessIdentity,
    pub(super) pidfd: AsyncFd<OwnedFd>,
    pub(super) members: Members,
    /// While a stop's grace lasts: when it ends. What the main process leaves has that long.
    pub(super) kill_after: Mutex<Option<Instant>>,
    /// We are killing it: a SIGKILL it ends by is ours, not the kernel's.
    pub(super) killing: AtomicBool,
    pub(super) exit: watch::Sender<Option<Exit>>,
    pub(super) notice: watch::Sender<Notice>,
}

impl Entry {
    pub(super) fn running(&self) -> Running {
        let exit = self.exit.subscribe();
        let notice = self.notice.subscribe();
        Running::new(self.members.id.clone(), self.identity.clone(), exit, notice)
    }

    pub(super) fn exited(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    pub(super) fn set_killing(&self) {
        self.killing.store(true, Ordering::Release);
    }

    pub(super) fn set_kill_after(&self, moment: Instant) {
        *self
            .kill_after
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(moment);
    }

    /// Whether the grace of a stop lasts still.
    pub(super) fn in_grace(&self) -> bool {
        let kill_after = *self
            .kill_after
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        kill_after.is_some_and(|moment| Instant::now() < moment)
    }
}

/// What is known under an instance's name.
enum Known {
    /// Between the decision to start it and its start; what it says already is kept.
    Starting(watch::Sender<Notice>),
    Running(Arc<Entry>),
}

/// The instances of a runtime, by name.
#[derive(Default)]
pub(super) struct Table {
    known: Mutex<HashMap<InstanceId, Known>>,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceId, Known>> {
        // Nothing panics while it holds this lock; if something did, the map would still be whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a name; `None` when it is taken.
    pub(super) fn reserve(self: &Arc<Self>, id: &InstanceId) -> Option<Reserved> {
        let mut known = self.lock();
        if known.contains_key(id) {
            return None;
        }
        known.insert(id.clone(), Known::Starting(watch::Sender::default()));
        Some(Reserved {
            table: Arc::clone(self),
            id: id.clone(),
        })
    }

    pub(super) fn get(&self, id: &InstanceId) -> Option<Arc<Entry>> {
        match self.lock().get(id) {
            Some(Known::Running(entry)) => Some(Arc::clone(entry)),
            _ => None,
        }
    }

    /// Forgets an instance, unless its name belongs to another process by now.
    pub(super) fn remove(&self, entry: &Arc<Entry>) {
        let mut known = self.lock();
        let id = &entry.members.id;
        if matches!(known.get(id), Some(Known::Running(it)) if Arc::ptr_eq(it, entry)) {
            known.remove(id);
        }
    }

    /// Passes on what an instance said; `false` when it is not known.
    pub(super) fn say(&self, id: &InstanceId, said: &Notice) -> bool {
        let known = self.lock();
        let notice = match known.get(id) {
            Some(Known::Starting(notice)) => notice,
            Some(Known::Running(entry)) => &entry.notice,
            None => return false,
        };
        notice.send_modify(|notice| notice.merge(said));
        true
    }

    /// The instance whose main process this is.
    pub(super) fn led_by(&self, pid: u32) -> Option<InstanceId> {
        self.lock().iter().find_map(|(id, known)| match known {
            Known::Running(entry) if entry.identity.pid == pid => Some(id.clone()),
            _ => None,
        })
    }
}

/// A name that was taken for a start; given back unless the start succeeds.
pub(super) struct Reserved {
    table: Arc<Table>,
    id: InstanceId,
}

impl Reserved {
    /// Puts the process under the name. `make` gets the channel of what it said meanwhile.
    pub(super) fn fill(self, make: impl FnOnce(watch::Sender<Notice>) -> Entry) -> Arc<Entry> {
        let mut known = self.table.lock();
        let notice = match known.remove(&self.id) {
            Some(Known::Starting(notice)) => notice,
            _ => watch::Sender::default(),
        };
        let entry = Arc::new(make(notice));
        known.insert(self.id.clone(), Known::Running(Arc::clone(&entry)));
        drop(known);
        entry
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut known = self.table.lock();
        if matches!(known.get(&self.id), Some(Known::Starting(_))) {
            known.remove(&self.id);
        }
    }
}
