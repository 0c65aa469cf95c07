//! What a worker says while it runs, and what it counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::manifest::{TaskId, TaskSnapshot};

/// Something that happened to a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// Its state is restored and it runs.
    Started {
        /// Whose.
        task: TaskId,
    },
    /// It has ended as it should: its data has, or it was told to.
    Finished {
        /// Whose.
        task: TaskId,
    },
    /// It has ended as it should not.
    Failed {
        /// Whose.
        task: TaskId,
        /// Why.
        failure: Failure,
    },
    /// A step of a checkpoint.
    CheckpointProgress {
        /// Whose.
        task: TaskId,
        /// Of which.
        epoch: u64,
        /// Which step.
        step: Step,
    },
    /// All it has to store is durable.
    CheckpointCompleted {
        /// Of which.
        epoch: u64,
        /// What was stored.
        snapshot: TaskSnapshot,
    },
    /// It could not store its state; the task goes on, and the next checkpoint may do.
    CheckpointFailed {
        /// Whose.
        task: TaskId,
        /// Of which.
        epoch: u64,
        /// Why.
        failure: Failure,
    },
    /// What it wrote in the epoch may now be seen.
    Committed {
        /// Whose.
        task: TaskId,
        /// Of which.
        epoch: u64,
    },
}

/// Where a task is in a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The first barrier has come, others are waited for.
    Aligning,
    /// All have come; state is taken.
    Snapshotting,
    /// State is taken and being written; rows flow again.
    Writing,
}

/// Who hears what happens. Called by many threads; must not wait.
pub type Listener = Arc<dyn Fn(Event) + Send + Sync>;

/// What a task counts while it runs.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) rows_in: AtomicU64,
    pub(crate) rows_out: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) blocked_nanos: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) bad: Arc<AtomicU64>,
    pub(crate) watermark: AtomicI64,
    pub(crate) state_bytes: AtomicU64,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters {
            rows_in: AtomicU64::new(0),
            rows_out: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            blocked_nanos: AtomicU64::new(0),
            late: AtomicU64::new(0),
            bad: Arc::default(),
            watermark: AtomicI64::new(i64::MIN),
            state_bytes: AtomicU64::new(0),
        }
    }
}

/// What a task has counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMetrics {
    /// Whose.
    pub task: TaskId,
    /// Rows taken in; of a source, read.
    pub rows_in: u64,
    /// Rows given to other tasks; of a sink, written.
    pub rows_out: u64,
    /// Bytes of those, in memory.
    pub bytes_out: u64,
    /// Nanoseconds that it waited for tasks behind it: backpressure.
    pub blocked_nanos: u64,
    /// Rows that were dropped because they came too late.
    pub late_rows: u64,
    /// Rows that could not be read.
    pub bad_rows: u64,
    /// The watermark, microseconds since 1970, if there is one.
    pub watermark: Option<i64>,
    /// Bytes of state in memory, about; as of the last checkpoint or window.
    pub state_bytes: u64,
}

impl Counters {
    pub(crate) fn read(&self, task: TaskId) -> TaskMetrics {
        TaskMetrics {
            task,
            rows_in: self.rows_in.load(Relaxed),
            rows_out: self.rows_out.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            blocked_nanos: self.blocked_nanos.load(Relaxed),
            late_rows: self.late.load(Relaxed),
            bad_rows: self.bad.load(Relaxed),
            watermark: Some(self.watermark.load(Relaxed)).filter(|time| *time != i64::MIN),
            state_bytes: self.state_bytes.load(Relaxed),
        }
    }
}
