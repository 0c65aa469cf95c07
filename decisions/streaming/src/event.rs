//! What a job hears.

use crate::facts::Failure;
use crate::names::{CheckpointId, Epoch, Generation, TaskId, WorkerId};
use crate::wish::Wish;

/// What a job hears. Events may be lost, late and doubled: nothing here is trusted to come once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed: the answer to [`crate::Action::WakeAt`]. Harmless at any other time.
    Wake,
    /// The wish is now this.
    Wish(Box<Wish>),
    /// The backend's answer to [`crate::Action::StartWorkers`].
    Slots {
        /// Of which generation the question was.
        generation: Generation,
        /// The answer.
        answer: Slots,
    },
    /// No worker of this generation or an older one runs any more.
    Cleared {
        /// The generation of the order.
        generation: Generation,
    },
    /// A worker said something, or something was noticed about it.
    Worker {
        /// The generation the worker was told.
        generation: Generation,
        /// Who.
        worker: WorkerId,
        /// What.
        message: Message,
    },
    /// The answer to [`crate::Action::ReadCheckpoint`].
    Checkpoint {
        /// Which.
        id: CheckpointId,
        /// What was found.
        found: Found,
    },
    /// The answer to [`crate::Action::WriteManifest`].
    Manifest {
        /// Which.
        id: CheckpointId,
        /// Whether it is durable, or why not.
        result: Result<(), String>,
    },
    /// The answer to [`crate::Action::CollectGarbage`].
    Collected {
        /// The checkpoints whose files are gone, or why they are not.
        result: Result<Vec<CheckpointId>, String>,
    },
}

/// What the backend says to a question for slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slots {
    /// Workers with enough slots are being started.
    Starting,
    /// There is no room for so many.
    TooFew {
        /// How many there is no room for.
        missing: u32,
    },
    /// It did not work, this time.
    Failed(String),
    /// It will never work: the job asks for what the backend does not have.
    Refused(String),
}

/// What a worker says, or what is noticed about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// It is there.
    Connected {
        /// On which node it is.
        node: String,
        /// How many slots it has.
        slots: u32,
    },
    /// [`crate::Action::OpenChannel`] worked.
    ChannelOpen,
    /// It did not.
    ChannelFailed(String),
    /// It did not take its tasks.
    Refused(String),
    /// It took its tasks, and could not set them up.
    NotInitialized(String),
    /// A task of it is now in this state.
    Task {
        /// Which.
        task: TaskId,
        /// Its state.
        state: TaskState,
    },
    /// All its tasks. Sent every few seconds as the heartbeat, and when a channel opens; so
    /// whatever else was lost is heard of with the next one.
    Report(Vec<(TaskId, TaskState)>),
    /// The task's part of a checkpoint is durable.
    Checkpointed {
        /// Of which.
        epoch: Epoch,
        /// Which task.
        task: TaskId,
        /// How much was written, in bytes.
        bytes: u64,
        /// Whether output was prepared that a commit makes visible.
        prepared: bool,
    },
    /// The task's part of a checkpoint could not be written.
    CheckpointFailed {
        /// Of which.
        epoch: Epoch,
        /// Which task.
        task: TaskId,
        /// Why.
        message: String,
    },
    /// What the task prepared with this checkpoint is visible.
    Committed {
        /// Which.
        epoch: Epoch,
        /// Which task.
        task: TaskId,
    },
    /// Its process has ended, or its channel broke.
    Lost(String),
}

/// Where a task is. It only ever goes forward.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TaskState {
    /// It was not heard of.
    #[default]
    Pending,
    /// It runs.
    Started,
    /// It ended as it should.
    Finished,
    /// It ended as it should not.
    Failed(Failure),
}

/// What came of reading a checkpoint's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is whole.
    Whole,
    /// It is there and cannot be used, or is gone: its checksum is wrong, a file is missing.
    Broken(String),
    /// It could not be read, this time.
    Failed(String),
}
