//! What a job hears.

use crate::catalogue::Row;
use crate::facts::Failure;
use crate::names::{Epoch, Generation, RequestId, TaskId, WorkerId};
use crate::wish::Wish;

/// What a job hears. Events may be lost, late and doubled: nothing here is trusted to come once,
/// and only [`Event::Stored`] and the answers beside it can make anything durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed: the answer to [`crate::Action::WakeAt`]. Harmless at any other time.
    Wake,
    /// The wish is now this.
    Wish(Box<Wish>),
    /// Keep a checkpoint as a restore point of this name, until it is named `None` again.
    Name {
        /// Which; `None` is the newest complete one.
        epoch: Option<Epoch>,
        /// What it is called from now on.
        name: Option<String>,
    },
    /// The backend's answer to [`crate::Action::StartWorkers`].
    Slots {
        /// Of which generation the question was.
        generation: Generation,
        /// The answer.
        answer: Slots,
    },
    /// No worker of this generation or an older one runs any more, apart from those kept.
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
    /// The answer to [`crate::Action::Store`].
    Stored {
        /// Which.
        request: RequestId,
        /// How it went.
        outcome: Outcome,
    },
    /// The answer to [`crate::Action::ReadCatalogue`].
    Catalogue {
        /// Which.
        request: RequestId,
        /// The rows in any order, or why they could not be read.
        rows: Result<Vec<Row>, String>,
    },
    /// The answer to [`crate::Action::ReadCheckpoint`].
    Checkpoint {
        /// Which.
        request: RequestId,
        /// What was found.
        found: Found,
    },
    /// The answer to [`crate::Action::CollectGarbage`].
    Collected {
        /// Which.
        request: RequestId,
        /// Whether all files are gone, or why not.
        result: Result<(), String>,
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
    /// It is there, and nothing of an older generation runs in it.
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
    /// All its tasks. Sent every few seconds as the heartbeat, and when it is asked; so whatever
    /// else was lost is heard of with the next one.
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
    /// No task of this generation runs in it any more.
    Idle,
    /// Its process has ended, or its channel broke.
    Lost(String),
}

/// Where a task is. It only ever goes forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It runs.
    Started,
    /// A source that came to its end. It still answers barriers.
    Drained,
    /// It ended as it should.
    Finished,
    /// It ended as it should not.
    Failed(Failure),
}

/// How a write went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable. A write that finds its own effect already there is this, too.
    Done,
    /// It may or may not be there.
    Failed(String),
    /// What it expected is not there. It changed nothing.
    Conflict,
    /// Another controller owns the job. It changed nothing.
    Fenced,
}

/// What came of reading a checkpoint's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is whole.
    Whole,
    /// It is there and cannot be used, or is gone: its digest is wrong, a file is missing.
    Broken(String),
    /// It could not be read, this time.
    Failed(String),
}
