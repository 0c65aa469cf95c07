//! Watches. A watch is a place in the kept changes and nothing else: it has no buffer, so a
//! reader that stalls costs nothing, and one that falls behind what is kept is told so.

use std::sync::Arc;

use tokio::sync::watch;

use super::index::concerns;
use super::shared::Shared;
use crate::{Change, Failure, Keys, Revision, Watch, WatchError};

/// How many changes are looked at before others get their turn.
const SCAN_MAX: usize = 1024;

/// The changes of some keys of an [`super::EmbeddedStore`].
pub struct EmbeddedWatch {
    shared: Arc<Shared>,
    head: watch::Receiver<Revision>,
    keys: Keys,
    /// Everything before this was told, or is about other keys.
    next: Revision,
    over: Option<WatchError>,
}

impl EmbeddedWatch {
    pub(super) fn new(shared: Arc<Shared>, keys: Keys, from: Revision) -> Result<Self, WatchError> {
        let mut watch = Self {
            head: shared.head.subscribe(),
            shared,
            keys,
            next: Revision(from.0.max(1)),
            over: None,
        };
        // Refuses at once what could never be told.
        let compacted = watch.shared.index.read().compacted();
        watch.check(compacted)?;
        watch.head.mark_changed();
        Ok(watch)
    }

    fn check(&self, compacted: Revision) -> Result<(), WatchError> {
        self.shared.check()?;
        if self.next <= compacted {
            return Err(WatchError::Compacted {
                wanted: self.next,
                at: compacted,
            });
        }
        Ok(())
    }

    /// Looks for the next change among those kept.
    fn scan(&mut self) -> Result<Scan, WatchError> {
        let index = self.shared.index.read();
        self.check(index.compacted())?;
        for change in index.changes(self.next, SCAN_MAX) {
            self.next = change.revision.next();
            if concerns(change, &self.keys) {
                return Ok(Scan::Found(filtered(change, &self.keys)));
            }
        }
        let caught_up = self.next > index.head();
        Ok(if caught_up {
            Scan::CaughtUp
        } else {
            Scan::More
        })
    }

    async fn find(&mut self) -> Result<Change, WatchError> {
        loop {
            // Seen before the scan, so that what comes during it wakes us.
            self.head.mark_unchanged();
            match self.scan()? {
                Scan::Found(change) => return Ok(change),
                Scan::More => tokio::task::yield_now().await,
                Scan::CaughtUp => {
                    let gone = |_| Failure {
                        why: "its last handle was dropped".into(),
                    };
                    self.head.changed().await.map_err(gone)?;
                }
            }
        }
    }
}

enum Scan {
    Found(Change),
    More,
    CaughtUp,
}

fn filtered(change: &Change, keys: &Keys) -> Change {
    let ours = |event: &&crate::Event| keys.contains(event.key());
    Change {
        revision: change.revision,
        events: change.events.iter().filter(ours).cloned().collect(),
    }
}

impl Watch for EmbeddedWatch {
    async fn next(&mut self) -> Result<Change, WatchError> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        let found = self.find().await;
        if let Err(error) = &found {
            self.over = Some(error.clone());
        }
        found
    }

    fn position(&self) -> Revision {
        self.next
    }
}
