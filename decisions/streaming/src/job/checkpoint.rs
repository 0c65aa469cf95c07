//! Barriers, manifests, commits, garbage. One checkpoint at a time, and one deletion: a checkpoint
//! builds on the newest whole one, which no deletion takes.

use std::collections::BTreeMap;

use super::{Job, Open, Stage};
use crate::action::{Action, Entry};
use crate::catalogue::{Row, RowState};
use crate::event::TaskState;
use crate::facts::{Domain, Failure};
use crate::names::{CheckpointId, Epoch, TaskId};

impl Open {
    pub(super) fn deadline(&self) -> u64 {
        match self.stage {
            Stage::Committing { again_at, .. } => self.until.min(again_at),
            Stage::Collecting | Stage::Writing => self.until,
        }
    }
}

impl Job {
    pub(super) fn begin_checkpoint(&mut self, then_stop: bool) {
        let generation = self.facts.generation;
        let epoch = self.next_epoch();
        let row = Row::begun(CheckpointId { epoch, generation }, then_stop, self.now);
        self.put_row(row.clone(), None);
        self.run.checkpoint = Some(Open {
            row,
            parts: BTreeMap::new(),
            stage: Stage::Collecting,
            until: self.now + self.settings.checkpoint_timeout_ms,
        });
        self.run.next_checkpoint_at = self.now + self.wish.checkpoint_interval_ms;
        self.effects.push(Action::Checkpoint {
            generation,
            epoch,
            then_stop,
        });
    }

    /// Moves the open checkpoint on, as far as it goes.
    pub(super) fn advance_checkpoint(&mut self) {
        let Some(open) = &mut self.run.checkpoint else {
            return;
        };
        let late = self.now >= open.until;
        let over = |state: &TaskState| matches!(state, TaskState::Finished | TaskState::Failed(_));
        let over = self.run.tasks.values().all(over);
        match &mut open.stage {
            Stage::Collecting if open.parts.len() == self.run.tasks.len() => {
                open.stage = Stage::Writing;
                open.until = self.now + self.settings.manifest_timeout_ms;
                let id = open.row.id;
                self.effects.push(Action::WriteManifest { id });
            }
            Stage::Collecting if late => {
                let missing = self.run.tasks.len() - open.parts.len();
                let why = format!("{missing} tasks did not send their part in time");
                self.checkpoint_failed(&why);
            }
            Stage::Collecting if over => {
                self.checkpoint_failed("the tasks ended before it was whole");
            }
            Stage::Writing if late => {
                self.checkpoint_failed("its manifest was not written in time")
            }
            Stage::Collecting | Stage::Writing => {}
            Stage::Committing { waiting, .. } if waiting.is_empty() => {
                let row = open.row.clone();
                self.ready(row);
            }
            Stage::Committing { waiting, .. } if late => {
                let message = format!("{} sinks did not commit in time", waiting.len());
                let failure = Failure::retryable(Domain::External, message);
                self.worker_trouble(failure);
            }
            Stage::Committing { again_at, .. } if self.now >= *again_at => {
                *again_at = self.now + self.settings.commit_retry_ms;
                let epoch = open.row.id.epoch;
                self.commit(epoch);
            }
            Stage::Committing { .. } => {}
        }
    }

    /// A task's part is durable.
    pub(super) fn part(&mut self, epoch: Epoch, task: TaskId, bytes: u64, prepared: bool) {
        if !self.is_expected(epoch, task) {
            return;
        }
        let Some(open) = &mut self.run.checkpoint else {
            return;
        };
        if open.stage == Stage::Collecting && open.parts.insert(task, prepared).is_none() {
            open.row.bytes += bytes;
            open.row.commits |= prepared;
        }
    }

    pub(super) fn part_failed(&mut self, epoch: Epoch, task: TaskId, why: &str) {
        if !self.is_expected(epoch, task) {
            return;
        }
        let collecting = |open: &Open| open.stage == Stage::Collecting;
        if self.run.checkpoint.as_ref().is_some_and(collecting) {
            self.checkpoint_failed(&format!("task {task}: {why}"));
        }
    }

    /// Whether the checkpoint that a task speaks of is the open one. An older one is over; one
    /// that was never begun is a fault of the worker.
    fn is_expected(&mut self, epoch: Epoch, task: TaskId) -> bool {
        if !self.run.tasks.contains_key(&task) {
            return false;
        }
        let open = self.run.checkpoint.as_ref().map(|open| open.row.id.epoch);
        if open == Some(epoch) {
            return true;
        }
        if epoch > self.catalogue.newest_epoch() {
            let message = format!("task {task} speaks of epoch {epoch}, which was never begun");
            self.worker_trouble(Failure::retryable(Domain::Internal, message));
        } else {
            let what = format!("task {task} speaks of epoch {epoch}, which is over");
            self.log(Entry::Ignored { what });
        }
        false
    }

    /// The answer to the order to write a manifest: the checkpoint is whole, or not.
    pub(super) fn written(&mut self, id: CheckpointId, result: Result<(), String>) {
        let Some(open) = &mut self.run.checkpoint else {
            return;
        };
        if open.row.id != id || open.stage != Stage::Writing {
            return;
        }
        if let Err(why) = result {
            self.checkpoint_failed(&format!("its manifest: {why}"));
            return;
        }
        let prepared = open.parts.iter().filter(|(_, prepared)| **prepared);
        let waiting: Vec<TaskId> = prepared.map(|(task, _)| *task).collect();
        let row = open.row.clone();
        if waiting.is_empty() {
            self.ready(row);
        } else {
            let again_at = self.now + self.settings.commit_retry_ms;
            open.stage = Stage::Committing { waiting, again_at };
            open.until = self.now + self.settings.commit_timeout_ms;
            open.row.state = RowState::Committing;
            let row = open.row.clone();
            self.put_row(row, None);
        }
        self.commit(id.epoch);
    }

    /// A task made visible what it had prepared.
    pub(super) fn committed(&mut self, epoch: Epoch, task: TaskId) {
        if let Some(open) = &mut self.run.checkpoint
            && open.row.id.epoch <= epoch
            && let Stage::Committing { waiting, .. } = &mut open.stage
        {
            waiting.retain(|waits| *waits != task);
        }
    }

    /// A checkpoint is whole, and all of it visible; so is what a restored one had left to do.
    fn ready(&mut self, mut row: Row) {
        self.run.checkpoint = None;
        row.state = RowState::Committing;
        self.catalogue.put(row);
        self.settle_commits();
        self.collect_garbage();
    }

    /// Commits whose end nobody told of: the tasks did them before they did what came after.
    pub(super) fn settle_commits(&mut self) {
        let open = self.catalogue.rows();
        let open = open.filter(|row| row.state == RowState::Committing);
        for mut row in open.cloned().collect::<Vec<_>>() {
            row.state = RowState::Ready;
            row.finished_at_ms = Some(self.now);
            self.put_row(row, None);
        }
    }

    /// The open checkpoint will not be whole. The job lives, and takes the next one when it is due.
    pub(super) fn checkpoint_failed(&mut self, why: &str) {
        let Some(open) = self.run.checkpoint.take() else {
            return;
        };
        let then_stop = open.row.then_stop;
        self.fail_row(open.row, why);
        if then_stop {
            let message = format!("the last checkpoint failed: {why}");
            self.last_failed(Failure::retryable(Domain::External, message));
        }
    }

    fn collect_garbage(&mut self) {
        if self.collecting_until.is_some() {
            return;
        }
        let (kept, batch) = (self.settings.checkpoints_kept, self.settings.garbage_batch);
        let garbage = self.catalogue.garbage(kept, batch, self.facts.restored);
        if garbage.drop.is_empty() {
            return;
        }
        for id in &garbage.drop {
            let Some(mut row) = self.catalogue.get(id.epoch).cloned() else {
                continue;
            };
            row.state = RowState::Dropping;
            self.catalogue.put(row.clone());
            self.writes.push(Action::SaveRow(row));
        }
        self.collecting_until = Some(self.now + self.settings.garbage_timeout_ms);
        let (drop, keep) = (garbage.drop, garbage.keep);
        self.effects.push(Action::CollectGarbage { drop, keep });
    }

    /// Files are gone, or not: then they are tried again after the next checkpoint.
    pub(super) fn collected(&mut self, result: Result<Vec<CheckpointId>, String>) {
        self.collecting_until = None;
        match result {
            Ok(dropped) => {
                for id in dropped {
                    let row = self.catalogue.get(id.epoch);
                    if row.is_some_and(|row| row.id == id && row.state == RowState::Dropping) {
                        self.catalogue.forget(id.epoch);
                        self.writes.push(Action::Forget(id));
                    }
                }
            }
            Err(why) => self.log(Entry::Note(format!(
                "old checkpoints are not deleted: {why}"
            ))),
        }
    }

    /// How many tasks have ended, for people.
    pub(super) fn ended_count(&self) -> usize {
        let ended = |state: &&TaskState| matches!(state, TaskState::Finished);
        self.run.tasks.values().filter(ended).count()
    }
}
