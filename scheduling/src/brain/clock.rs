//! The time that decisions are made at.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::Timestamp;
use reconciliation::Snapshot;
use tokio::time::Instant;

/// Wall-clock time that goes as the monotonic clock does: it starts where the wall clock is, and
/// no later jump of that one (or of an administrator) lengthens a pause or ends one early. It never
/// starts before what the state remembers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Timestamp,
    started: Instant,
}

impl Clock {
    pub(crate) fn start(snapshot: &Snapshot) -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let wall = Timestamp(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
        let remembered = snapshot.instances.values().map(|i| i.since).max();
        Self {
            start: wall.max(remembered.unwrap_or_default()),
            started: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = self.started.elapsed().as_millis();
        self.start
            .plus_ms(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// When it will be `at`.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        self.started + Duration::from_millis(at.since_ms(self.start))
    }
}
