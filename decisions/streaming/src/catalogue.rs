//! The checkpoints of a job: which to restore, and which nobody will ever need.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{CheckpointId, Epoch};

/// Where a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// Its epoch is taken; its tasks write.
    InProgress,
    /// It is whole; sinks make visible what they prepared.
    Committing,
    /// It is whole, and all is visible.
    Ready,
    /// It will never be whole, or was found broken.
    Failed,
    /// Its files are being deleted. It is not restored any more.
    Dropping,
}

impl fmt::Display for RowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProgress => "in progress",
            Self::Committing => "committing",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Dropping => "being dropped",
        })
    }
}

/// One checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Which.
    pub id: CheckpointId,
    /// Where it is.
    pub state: RowState,
    /// Whether the tasks ended with it.
    pub then_stop: bool,
    /// Whether output became visible by it.
    pub commits: bool,
    /// When its epoch was taken, in milliseconds.
    pub started_at_ms: u64,
    /// When it was ready, or failed.
    pub finished_at_ms: Option<u64>,
    /// How much its tasks wrote, in bytes.
    pub bytes: u64,
    /// Why it failed.
    pub why: Option<String>,
}

impl Row {
    /// One that was begun now.
    pub fn begun(id: CheckpointId, then_stop: bool, now_ms: u64) -> Self {
        Self {
            id,
            state: RowState::InProgress,
            then_stop,
            commits: false,
            started_at_ms: now_ms,
            finished_at_ms: None,
            bytes: 0,
            why: None,
        }
    }

    /// It can be restored.
    pub fn is_whole(&self) -> bool {
        matches!(self.state, RowState::Ready | RowState::Committing)
    }
}

/// All checkpoints of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    rows: BTreeMap<Epoch, Row>,
}

/// What may be thrown away now, and what must stay whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Oldest first.
    pub drop: Vec<CheckpointId>,
    /// Oldest first.
    pub keep: Vec<CheckpointId>,
}

impl Catalogue {
    /// These rows, in any order.
    pub fn new(rows: impl IntoIterator<Item = Row>) -> Self {
        let rows = rows.into_iter().map(|row| (row.id.epoch, row)).collect();
        Self { rows }
    }

    /// All rows, oldest first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.rows.values()
    }

    /// The row of this epoch.
    pub fn get(&self, epoch: Epoch) -> Option<&Row> {
        self.rows.get(&epoch)
    }

    /// Puts a row in the place of its epoch's.
    pub fn put(&mut self, row: Row) {
        self.rows.insert(row.id.epoch, row);
    }

    /// Takes a row out.
    pub fn forget(&mut self, epoch: Epoch) {
        self.rows.remove(&epoch);
    }

    /// The newest epoch that was ever taken, whatever came of it.
    pub fn newest_epoch(&self) -> Epoch {
        self.rows.keys().next_back().copied().unwrap_or_default()
    }

    /// The newest row that can be restored.
    pub fn newest_whole(&self) -> Option<&Row> {
        self.rows().rev().find(|row| row.is_whole())
    }

    /// What can be restored, best first: nothing of an epoch below `from`.
    pub fn restorable(&self, from: Option<Epoch>) -> Vec<&Row> {
        let from = from.unwrap_or_default();
        let recent = self.rows().rev().filter(|row| row.id.epoch >= from);
        recent.filter(|row| row.is_whole()).collect()
    }

    /// What must be marked failed before the job starts from `restored`: what nobody finishes any
    /// more, and what is newer. A commit that was under way when a newer checkpoint was already
    /// whole was superseded by it.
    pub fn void(&self, restored: Option<CheckpointId>) -> Vec<&Row> {
        let is_void = |row: &&Row| match row.state {
            RowState::InProgress => true,
            RowState::Committing => Some(row.id) != restored,
            RowState::Ready => restored.is_some_and(|restored| row.id.epoch > restored.epoch),
            RowState::Failed | RowState::Dropping => false,
        };
        self.rows().filter(is_void).collect()
    }

    /// What may go: all that is older than the `kept` newest that are ready, is not what the job
    /// was restored from, and is not under way. Nothing, unless `batch` of them can go at once.
    /// What is half deleted goes always.
    pub fn garbage(&self, kept: u32, batch: u32, restored: Option<CheckpointId>) -> Garbage {
        let ready = self.rows().rev().filter(|row| row.state == RowState::Ready);
        let kept = usize::try_from(kept.max(1)).unwrap_or(usize::MAX);
        let oldest_kept = ready.map(|row| row.id.epoch).nth(kept - 1);
        let goes = |row: &Row| match row.state {
            RowState::Dropping => true,
            RowState::InProgress | RowState::Committing => false,
            RowState::Ready | RowState::Failed => {
                Some(row.id) != restored && oldest_kept.is_some_and(|oldest| row.id.epoch < oldest)
            }
        };
        let drop: Vec<_> = self.rows().filter(|r| goes(r)).map(|row| row.id).collect();
        let begun = self.rows().any(|row| row.state == RowState::Dropping);
        let enough = begun || drop.len() >= usize::try_from(batch.max(1)).unwrap_or(usize::MAX);
        if !enough {
            return Garbage::default();
        }
        let stays = self.rows().filter(|row| row.is_whole() && !goes(row));
        let keep = stays.map(|row| row.id).collect();
        Garbage { drop, keep }
    }
}
