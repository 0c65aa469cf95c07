//! Who leads: whoever has the store open. The kernel gives the folder's lock to one process at a
//! time, and takes it back when that process ends, however it ends.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde::{Deserialize, Serialize};
use store::{EmbeddedStore, OpenError, Options, Store as _};
use tokio::time::{sleep, timeout};

/// How often a follower looks whether the leader's seat is free. A look is one `flock`.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often a leader that could not write down where it is tries that again.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// Beside the store: where the leader is.
const LEADER_FILE: &str = "leader.json";
/// What becomes that file. Only who leads writes it, so one name is enough.
const LEADER_FILE_NEXT: &str = "leader.json.next";

/// What the leader says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leader {
    pub(crate) address: SocketAddr,
    /// How often somebody began to lead.
    pub(crate) generation: u64,
}

/// The leader's seat, from the side of one replica.
pub(crate) struct Seat {
    folder: PathBuf,
    address: SocketAddr,
    taken: ArcSwapOption<Taken>,
    /// This replica ends: it does not lead any more, and never again.
    leaves: AtomicBool,
}

/// We lead.
pub(crate) struct Taken {
    pub(crate) store: EmbeddedStore,
    pub(crate) leader: Leader,
}

impl Seat {
    pub(crate) fn new(folder: &Path, address: SocketAddr) -> Self {
        Self {
            folder: folder.to_owned(),
            address,
            taken: ArcSwapOption::empty(),
            leaves: AtomicBool::new(false),
        }
    }

    /// Whether [`Seat::give_up`] was called: a store that was closed is no failure then.
    pub(crate) fn leaves(&self) -> bool {
        self.leaves.load(Acquire)
    }

    /// Leaves the seat to another replica, once what waits is written. A process that is asked to
    /// end needs most of a second for its farewell: too long to keep the lock.
    pub(crate) async fn give_up(&self) {
        self.leaves.store(true, Release);
        if let Some(taken) = self.taken.swap(None) {
            taken.store.close().await;
            tracing::info!("leads no longer");
        }
    }

    /// The store, if we lead.
    pub(crate) fn taken(&self) -> Option<Arc<Taken>> {
        self.taken.load_full()
    }

    /// Who leads, or did last, as far as was written down.
    pub(crate) fn leader(&self) -> Option<Leader> {
        let text = std::fs::read(self.folder.join(LEADER_FILE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Takes the seat if it is free; whether we have it.
    ///
    /// # Errors
    /// The store cannot be opened, and not because somebody else has it.
    pub(crate) fn try_take(&self) -> Result<bool, OpenError> {
        let store = match EmbeddedStore::open(&self.folder, Options::default()) {
            Ok(store) => store,
            Err(OpenError::Held { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let before = self.leader().map_or(0, |leader| leader.generation);
        let leader = Leader {
            address: self.address,
            generation: before + 1,
        };
        self.write_down(&leader);
        tracing::info!(generation = leader.generation, "leads");
        self.taken.store(Some(Arc::new(Taken { store, leader })));
        Ok(true)
    }

    /// Says where we are. When that fails, followers do not find us, and whoever calls us directly
    /// is served all the same.
    fn write_down(&self, leader: &Leader) {
        if let Err(error) = self.try_write_down(leader) {
            tracing::error!(%error, "cannot write down who leads; trying again");
        }
    }

    fn try_write_down(&self, leader: &Leader) -> std::io::Result<()> {
        let next = self.folder.join(LEADER_FILE_NEXT);
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(leader)?)?;
        // Before it gets its name: a power cut must not leave an empty file of that name.
        file.sync_data()?;
        std::fs::rename(next, self.folder.join(LEADER_FILE))
    }

    /// Leads until the disk fails. The file is looked after meanwhile: it says where we are even
    /// if it could not be written at first, or somebody took it away.
    async fn lead(self: &Arc<Self>, taken: Arc<Taken>) -> String {
        let failed = taken.store.failed();
        tokio::pin!(failed);
        loop {
            match timeout(WRITE_EVERY, &mut failed).await {
                Ok(failure) => return failure.to_string(),
                Err(_) if self.leader().as_ref() == Some(&taken.leader) => {}
                Err(_) => {
                    let (seat, taken) = (Arc::clone(self), Arc::clone(&taken));
                    let writing = move || seat.write_down(&taken.leader);
                    // It only fails if it panics, and then the next round tries again.
                    let _ = tokio::task::spawn_blocking(writing).await;
                }
            }
        }
    }

    /// Waits for the seat, then until the disk fails: returns only when the process has to end.
    pub(crate) async fn hold(self: Arc<Self>) -> String {
        loop {
            if self.leaves() {
                // Also what was taken just now.
                self.give_up().await;
                return std::future::pending().await;
            }
            if let Some(taken) = self.taken() {
                let why = self.lead(taken).await;
                if self.leaves() {
                    continue;
                }
                return why;
            }
            sleep(LOOK_EVERY).await;
            let seat = Arc::clone(&self);
            let tried = tokio::task::spawn_blocking(move || seat.try_take()).await;
            match tried {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(error) => return error.to_string(),
            }
        }
    }
}
