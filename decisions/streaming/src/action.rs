//! What a job asks for.

use std::collections::BTreeMap;
use std::fmt;

use crate::assign::Assignments;
use crate::catalogue::{Row, RowState};
use crate::facts::{Facts, Failure, Owner, State};
use crate::names::{CheckpointId, Epoch, Generation, RequestId, WorkerId};
use crate::program::Parallelism;
use crate::wish::Origin;

/// What a job asks its executor for. Nothing here waits: what comes of it is an
/// [`Event`](crate::Event), and an order whose answer does not come is given again or given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write, as the owner.
    Store {
        /// Answered by [`crate::Event::Stored`].
        request: RequestId,
        /// Who writes: the store refuses, in the same transaction, all others but a new owner.
        owner: Owner,
        /// What.
        write: Write,
    },
    /// Read all rows of the job's catalogue. Answered by [`crate::Event::Catalogue`].
    ReadCatalogue {
        /// Which question this is.
        request: RequestId,
    },
    /// Read a checkpoint's metadata and check that all it refers to is there. Answered by
    /// [`crate::Event::Checkpoint`].
    ReadCheckpoint {
        /// Which question this is.
        request: RequestId,
        /// Of which job, if of another.
        job: Option<String>,
        /// Which.
        checkpoint: CheckpointId,
    },
    /// Kill every worker of this generation and all before, but for `keep`; answered by
    /// [`crate::Event::Cleared`] when they are gone. Given again until then.
    StopWorkers {
        /// Up to which.
        generation: Generation,
        /// Who lives on.
        keep: Vec<WorkerId>,
    },
    /// See to it that workers with so many slots connect. A kept worker is told the generation,
    /// ends whatever it still runs of an older one, and connects anew. Asking twice for a
    /// generation is asking once.
    StartWorkers {
        /// For which.
        generation: Generation,
        /// How many slots in all, those of kept workers among them.
        slots: u32,
        /// Who is used again.
        keep: Vec<WorkerId>,
        /// Their environment.
        env: BTreeMap<String, String>,
    },
    /// Open the channel to a worker. Answered by [`crate::Message::ChannelOpen`] or
    /// [`crate::Message::ChannelFailed`]; if it breaks later, by [`crate::Message::Lost`].
    OpenChannel {
        /// In which.
        generation: Generation,
        /// To whom.
        worker: WorkerId,
    },
    /// Give every worker its tasks, all at the same time.
    StartExecution {
        /// In which.
        generation: Generation,
        /// What they are told.
        execution: Box<Execution>,
    },
    /// Ask for [`crate::Message::Report`]s, of workers that may know nothing of this controller.
    AskReport {
        /// In which.
        generation: Generation,
        /// Whom.
        workers: Vec<WorkerId>,
    },
    /// Let the sources send a barrier.
    Checkpoint {
        /// In which.
        generation: Generation,
        /// To whom.
        workers: Vec<WorkerId>,
        /// Which.
        barrier: Barrier,
    },
    /// Forget a barrier: whoever waits for it reads on. What was prepared with it belongs to the
    /// next checkpoint.
    AbortCheckpoint {
        /// In which.
        generation: Generation,
        /// To whom.
        workers: Vec<WorkerId>,
        /// Which.
        epoch: Epoch,
    },
    /// Make visible what was prepared with a checkpoint; doing it twice is doing it once. The
    /// checkpoint may be one of an older generation that was restored: then what its metadata
    /// says was prepared is meant.
    Commit {
        /// In which.
        generation: Generation,
        /// To whom.
        workers: Vec<WorkerId>,
        /// Which.
        checkpoint: CheckpointId,
    },
    /// End the tasks. Answered by [`crate::Message::Idle`].
    StopExecution {
        /// In which.
        generation: Generation,
        /// Whose.
        workers: Vec<WorkerId>,
        /// How.
        halt: Halt,
    },
    /// Delete every file of the checkpoints `drop` to which no checkpoint of `keep` refers. If
    /// the metadata of one of `keep` cannot be read, nothing is deleted. Answered by
    /// [`crate::Event::Collected`].
    CollectGarbage {
        /// Which order this is.
        request: RequestId,
        /// Which lose their files.
        drop: Vec<CheckpointId>,
        /// Which must stay whole.
        keep: Vec<CheckpointId>,
    },
    /// Something for the job's log.
    Log(Entry),
    /// Send [`crate::Event::Wake`] at this time. The latest one counts, the others are void.
    WakeAt {
        /// When, in milliseconds of the caller's clock.
        at_ms: u64,
    },
    /// Another controller owns the job: drop this machine.
    Retire,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The job gets a new owner: [`Facts::owner`]. Conflicts unless the stored term is `was`, or
    /// the stored owner is the new one already.
    Claim {
        /// The facts, with the new owner.
        facts: Box<Facts>,
        /// The term of the owner before.
        was: u64,
    },
    /// The facts, whole. One that comes after a higher [`Facts::version`] of the same owner
    /// changes nothing, and is done.
    Facts(Box<Facts>),
    /// A row of the catalogue. The write by which it leaves [`RowState::InProgress`] for another
    /// state than [`RowState::Failed`] makes, before it or with it, its metadata durable: what
    /// all its tasks reported.
    Row {
        /// The new row.
        row: Box<Row>,
        /// The state it must have had; `None` when there must not be one of its epoch.
        expect: Option<RowState>,
    },
    /// A row goes; it must be [`RowState::Dropping`].
    Forget(CheckpointId),
}

/// What the workers of a generation are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Who runs what.
    pub assignments: Assignments,
    /// How many subtasks each operator has.
    pub parallelism: Parallelism,
    /// What they start from: nothing, a checkpoint of this job, or one of another.
    pub restore: Restore,
    /// The last epoch before this execution.
    pub start_epoch: Epoch,
}

/// What an execution starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Restore {
    /// From nothing.
    #[default]
    Fresh,
    /// From a checkpoint of this job.
    Own(CheckpointId),
    /// From a checkpoint of another job. What that one prepared is not committed here.
    Fork(Origin),
}

/// What a barrier says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// Which checkpoint it is.
    pub epoch: Epoch,
    /// The newest complete checkpoint. Increments build on this one and on nothing later: a
    /// checkpoint that was aborted in between may be deleted at any time.
    pub base: Option<CheckpointId>,
    /// Tasks end when their part is durable; two-phase sinks after their commit.
    pub then_stop: bool,
}

/// How tasks are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// What was read flows to the sinks.
    Graceful,
    /// Now.
    Immediate,
}

/// An entry of the job's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Its state changed.
    Moved {
        /// From.
        from: State,
        /// To.
        to: State,
    },
    /// Something went wrong, and what was decided.
    Trouble {
        /// What.
        failure: Failure,
        /// What is done about it.
        then: String,
    },
    /// A message changed nothing.
    Ignored {
        /// Which, and why.
        what: String,
    },
    /// A checkpoint is now in this state.
    Checkpoint {
        /// Which.
        id: CheckpointId,
        /// Its state.
        state: RowState,
        /// Why, if it failed.
        why: Option<String>,
    },
    /// What an operator may want to know.
    Note(String),
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved { from, to } => write!(f, "{from} -> {to}"),
            Self::Trouble { failure, then } => write!(f, "{}: {then}", failure.message),
            Self::Ignored { what } => write!(f, "ignored: {what}"),
            Self::Checkpoint { id, state, why } => {
                write!(f, "checkpoint {id} is {state}")?;
                why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
            }
            Self::Note(text) => f.write_str(text),
        }
    }
}
