//! What workers say, in the words of the state machine.

use std::collections::BTreeMap;

use dataflow::events::Event as Said;
use dataflow::failure::{Domain, Failure, Hint};
use dataflow::manifest::TaskId as Named;
use pipelines::workers::{TaskWord, Word};
use streaming::{Epoch, Message, OperatorId, Program, RetryHint, TaskId, TaskState};

/// The numbers of the stages of what runs.
pub(crate) struct Stages(BTreeMap<String, OperatorId>);

impl Stages {
    pub(crate) fn of(program: &Program) -> Self {
        let operators = program.operators.iter();
        Self(operators.map(|o| (o.name.clone(), o.id)).collect())
    }

    fn task(&self, named: &Named) -> Option<TaskId> {
        let operator = *self.0.get(&named.stage)?;
        let subtask = named.subtask;
        Some(TaskId { operator, subtask })
    }

    /// What it means to the state machine; nothing if it means nothing.
    pub(crate) fn message(&self, word: Word) -> Option<Message> {
        let event = match word {
            Word::Report(tasks) => {
                let told = |(named, word): (Named, TaskWord)| {
                    let state = state(&named, word);
                    self.task(&named).map(|task| (task, state))
                };
                return Some(Message::Report(
                    tasks.into_iter().filter_map(told).collect(),
                ));
            }
            Word::Event(event) => event,
        };
        Some(match event {
            Said::Started { task } => self.moved(&task, TaskState::Started)?,
            Said::Finished { task } => self.moved(&task, TaskState::Finished)?,
            Said::Failed { task, failure } => {
                let state = TaskState::Failed(failed(&task, failure));
                self.moved(&task, state)?
            }
            Said::CheckpointProgress { .. } => return None,
            Said::CheckpointCompleted { epoch, snapshot } => Message::Checkpointed {
                epoch: Epoch(epoch),
                task: self.task(&snapshot.task)?,
                bytes: snapshot
                    .nodes
                    .iter()
                    .flat_map(|node| &node.tables)
                    .map(|file| file.bytes)
                    .sum(),
                prepared: snapshot.needs_commit,
            },
            Said::CheckpointFailed {
                task,
                epoch,
                failure,
            } => Message::CheckpointFailed {
                epoch: Epoch(epoch),
                task: self.task(&task)?,
                message: failure.message,
            },
            Said::Committed { task, epoch } => Message::Committed {
                epoch: Epoch(epoch),
                task: self.task(&task)?,
            },
        })
    }

    fn moved(&self, named: &Named, state: TaskState) -> Option<Message> {
        let task = self.task(named)?;
        Some(Message::Task { task, state })
    }
}

fn state(named: &Named, word: TaskWord) -> TaskState {
    match word {
        TaskWord::Pending => TaskState::Pending,
        TaskWord::Started => TaskState::Started,
        TaskWord::Finished => TaskState::Finished,
        TaskWord::Failed(failure) => TaskState::Failed(failed(named, failure)),
    }
}

fn failed(named: &Named, failure: Failure) -> streaming::Failure {
    streaming::Failure {
        domain: match failure.domain {
            Domain::User => streaming::Domain::User,
            Domain::Internal => streaming::Domain::Internal,
            Domain::External => streaming::Domain::External,
        },
        hint: match failure.hint {
            Hint::NoRetry => RetryHint::NoRetry,
            Hint::WithBackoff => RetryHint::WithBackoff,
            Hint::OlderCheckpoint => RetryHint::OlderCheckpoint,
        },
        message: format!("{named}: {}", failure.message),
        task: None,
    }
}
