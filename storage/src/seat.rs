//! Who leads: whoever has the store open. The kernel gives the folder's lock to one process at a
//! time, and takes it back when that process ends, however it ends.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde::{Deserialize, Serialize};
use store::{EmbeddedStore, OpenError, Options, Store as _};
use tokio::time::sleep;

/// How often a follower looks whether the leader's seat is free. A look is one `flock`.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Beside the store: where the leader is.
const LEADER_FILE: &str = "leader.json";

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
        if let Err(error) = self.write_down(&leader) {
            // Followers do not find us, and say so; whoever calls us directly is served.
            tracing::error!(%error, "cannot write down who leads");
        }
        tracing::info!(generation = leader.generation, "leads");
        self.taken.store(Some(Arc::new(Taken { store, leader })));
        Ok(true)
    }

    fn write_down(&self, leader: &Leader) -> std::io::Result<()> {
        let fresh = self
            .folder
            .join(format!("{LEADER_FILE}.{}", std::process::id()));
        std::fs::write(&fresh, serde_json::to_vec(leader)?)?;
        std::fs::rename(fresh, self.folder.join(LEADER_FILE))
    }

    /// Waits for the seat, then until the disk fails: returns only when the process has to end.
    pub(crate) async fn hold(self: Arc<Self>) -> String {
        loop {
            if let Some(taken) = self.taken() {
                return taken.store.failed().await.to_string();
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
