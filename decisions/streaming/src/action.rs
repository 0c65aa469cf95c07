//! What a job asks for.

use std::collections::BTreeMap;
use std::fmt;

use crate::assign::Assignments;
use crate::catalogue::{Row, RowState};
use crate::facts::{Facts, Failure, State};
use crate::names::{CheckpointId, Epoch, Generation, WorkerId};
use crate::program::Program;

/// What a job asks its executor for.
///
/// The first three are *writes*; they come first among the actions of a step. The executor makes
/// all writes of a step durable, in one transaction, before it does anything else of it: so a
/// generation is on disk before a worker of it starts, and a checkpoint before its commit. Nothing
/// here waits; what comes of it is an [`Event`](crate::Event), and an order whose answer does not
/// come is given again or given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Keep the facts, whole.
    Save(Box<Facts>),
    /// Keep a row of the catalogue.
    SaveRow(Row),
    /// A row goes: its files are gone.
    Forget(CheckpointId),
    /// Read a checkpoint's manifest and check that all it refers to is there. Answered by
    /// [`crate::Event::Checkpoint`].
    ReadCheckpoint {
        /// Which.
        id: CheckpointId,
    },
    /// Make the manifest of a checkpoint durable: what all its tasks reported. Answered by
    /// [`crate::Event::Manifest`].
    WriteManifest {
        /// Which.
        id: CheckpointId,
    },
    /// Kill every worker of this generation and all before; answered by
    /// [`crate::Event::Cleared`] when they are gone. Given again until then.
    StopWorkers {
        /// Up to which.
        generation: Generation,
    },
    /// See to it that workers with so many slots connect. Asking twice for a generation is
    /// asking once. Answered by [`crate::Event::Slots`].
    StartWorkers {
        /// For which.
        generation: Generation,
        /// How many slots in all.
        slots: u32,
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
    /// Let the sources send a barrier.
    Checkpoint {
        /// In which.
        generation: Generation,
        /// Which.
        epoch: Epoch,
        /// Tasks end when their part is durable; two-phase sinks after their commit.
        then_stop: bool,
    },
    /// Tell all workers that a checkpoint is whole: what was prepared with it is made visible,
    /// later ones may build on it. Doing it twice is doing it once. The checkpoint may be one of
    /// an older generation that was restored.
    Commit {
        /// In which.
        generation: Generation,
        /// Which.
        epoch: Epoch,
    },
    /// End the tasks.
    StopExecution {
        /// In which.
        generation: Generation,
        /// How.
        halt: Halt,
    },
    /// Delete every file of the checkpoints `drop` to which no checkpoint of `keep` refers. If
    /// the manifest of one of `keep` cannot be read, nothing is deleted. Answered by
    /// [`crate::Event::Collected`].
    CollectGarbage {
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
}

impl Action {
    /// Whether it is a write: see [`Action`].
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Save(_) | Self::SaveRow(_) | Self::Forget(_))
    }
}

/// What the workers of a generation are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Who runs what.
    pub assignments: Assignments,
    /// What is run.
    pub program: Program,
    /// The checkpoint they start from; nothing, if none.
    pub restore: Option<CheckpointId>,
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
