//! What workers say, and what it changes.

use super::schedule::Class;
use super::{ChannelState, Job, Phase};
use crate::action::Entry;
use crate::event::{Message, TaskState};
use crate::facts::{Domain, Failure, RetryHint, State};
use crate::names::{TaskId, WorkerId};

impl Job {
    /// A worker of this generation said something.
    pub(super) fn hear(&mut self, id: WorkerId, message: Message) {
        if let Message::Connected { node, slots } = message {
            self.connected(id, node, slots);
            return;
        }
        let now = self.now;
        let Some(worker) = self.run.workers.get_mut(&id) else {
            match message {
                Message::Lost(why) => self.lost(id, &why),
                _ => {
                    let what = format!("a message of worker {id}, which has no part in the job");
                    self.log(Entry::Ignored { what });
                }
            }
            return;
        };
        worker.heard_at = now;
        match message {
            Message::Connected { .. } => {}
            Message::ChannelOpen => worker.channel = ChannelState::Open,
            Message::ChannelFailed(why) => self.channel_failed(id, &why),
            Message::Refused(why) => self.refused(id, &why, Class::Worker),
            Message::NotInitialized(why) => self.refused(id, &why, Class::Setup),
            Message::Task { task, state } => self.task(id, task, state),
            Message::Report(tasks) => self.report(id, tasks),
            Message::Checkpointed {
                epoch,
                task,
                bytes,
                prepared,
            } => self.part(epoch, task, bytes, prepared),
            Message::CheckpointFailed {
                epoch,
                task,
                message,
            } => self.part_failed(epoch, task, &message),
            Message::Committed { epoch, task } => self.committed(epoch, task),
            Message::Lost(why) => self.lost(id, &why),
        }
    }

    fn refused(&mut self, id: WorkerId, why: &str, class: Class) {
        if !matches!(self.phase, Phase::Starting { .. }) {
            return;
        }
        let message = format!("worker {id} did not start its tasks: {why}");
        self.retry(class, Failure::retryable(Domain::Internal, message));
    }

    /// A worker ended or cannot be heard any more. One that has no part in the run is forgotten.
    pub(super) fn lost(&mut self, id: WorkerId, why: &str) {
        self.run.workers.remove(&id);
        let assigned = self.facts.workers.iter().any(|worker| worker.id == id);
        if assigned || matches!(self.phase, Phase::Gathering { .. }) {
            let message = format!("lost worker {id}: {why}");
            self.worker_trouble(Failure::retryable(Domain::External, message));
        }
    }

    /// Something is wrong with a worker that is needed.
    pub(super) fn worker_trouble(&mut self, failure: Failure) {
        match self.facts.state {
            State::Scheduling => match self.phase {
                Phase::Gathering { .. } | Phase::Starting { .. } => {
                    self.retry(Class::Worker, failure);
                }
                _ => {}
            },
            State::Running | State::Finishing => self.broke(failure),
            State::Rescaling | State::Restarting | State::CheckpointStopping => {
                self.last_failed(failure);
            }
            _ => {}
        }
    }

    fn report(&mut self, id: WorkerId, tasks: Vec<(TaskId, TaskState)>) {
        if matches!(self.phase, Phase::Adopting { .. }) {
            let own = |(task, _): &(&TaskId, &TaskState)| {
                self.run.assignments.worker_of(task.subtask) == Some(id)
            };
            let own = self.run.tasks.iter().filter(own);
            let told = |task: &TaskId| tasks.iter().any(|(told, _)| told == task);
            if let Some(task) = own.map(|(task, _)| *task).find(|task| !told(task)) {
                self.lost(id, &format!("it does not run task {task}"));
                return;
            }
        }
        for (task, state) in tasks {
            self.task(id, task, state);
        }
    }

    /// A task's state; it only goes forward, so what comes late or twice changes nothing.
    fn task(&mut self, id: WorkerId, task: TaskId, state: TaskState) {
        if self.run.assignments.worker_of(task.subtask) != Some(id) {
            return;
        }
        let Some(known) = self.run.tasks.get_mut(&task) else {
            return;
        };
        match (&known, &state) {
            (TaskState::Pending, _)
            | (TaskState::Started, TaskState::Finished | TaskState::Failed(_)) => {
                *known = state.clone();
            }
            _ => return,
        }
        if let TaskState::Failed(failure) = state {
            let task = Some(failure.task.unwrap_or(task));
            self.task_failed(Failure { task, ..failure });
        }
    }

    fn task_failed(&mut self, failure: Failure) {
        match self.facts.state {
            State::Scheduling | State::Running | State::Finishing => self.broke(failure),
            State::Rescaling | State::Restarting | State::CheckpointStopping => {
                self.last_failed(failure);
            }
            _ => {}
        }
    }

    /// A task or its worker broke.
    pub(super) fn broke(&mut self, failure: Failure) {
        match failure.hint {
            RetryHint::NoRetry => self.fail(failure),
            RetryHint::WithBackoff => self.recover(failure),
            RetryHint::OlderCheckpoint => self.recover_from_older(failure),
        }
    }
}
