//! Running tasks: their health, their end, and a controller that was started again.

use super::{ChannelState, Job, Phase, Run, Worker};
use crate::action::{Action, Entry};
use crate::assign::compute_assignments;
use crate::catalogue::Row;
use crate::event::TaskState;
use crate::facts::{Domain, Facts, Failure, State};
use crate::settings::Settings;
use crate::wish::Wish;

impl Job {
    /// A job that its controller left behind when it ended: what runs goes on running and is
    /// adopted, what was about to run is scheduled anew, what was about to end does. The first
    /// [`crate::Event::Wake`] sets it going.
    pub fn resume(settings: Settings, seed: u64, wish: Wish, facts: Facts, rows: Vec<Row>) -> Self {
        Self::known(settings, seed, wish, facts, rows)
    }

    /// The first look at a job that was resumed while it ran.
    fn adopt(&mut self) {
        let program = &self.facts.applied.program;
        let workers = &self.facts.workers;
        let found = compute_assignments(&program.parallelism(), workers);
        let Ok(assignments) = found else {
            let failure = Failure::retryable(Domain::Internal, "its workers are not known");
            self.recover(failure);
            return;
        };
        let tasks = program.tasks().into_iter();
        let tasks = tasks.map(|task| (task, TaskState::Pending)).collect();
        let worker = |fact: &crate::facts::WorkerFact| Worker {
            fact: fact.clone(),
            channel: ChannelState::Waiting { at: self.now },
            failures: 0,
            heard_at: self.now,
        };
        let workers = workers.iter().map(|fact| (fact.id, worker(fact)));
        self.run = Run {
            workers: workers.collect(),
            tasks,
            assignments,
            healthy_since: self.now,
            ..Run::default()
        };
        let until = self.now + self.settings.adopt_ms;
        self.phase = Phase::Adopting { until };
    }

    /// All tasks run.
    pub(super) fn begin_running(&mut self) {
        if self.facts.started_at_ms.is_none() || self.facts.finished_at_ms.is_some() {
            self.facts.started_at_ms = Some(self.now);
        }
        self.facts.finished_at_ms = None;
        self.attempts = 0;
        self.run.healthy_since = self.now;
        self.run.next_checkpoint_at = self.now + self.wish.checkpoint_interval_ms;
        self.go(State::Running);
        if let Some(restored) = self.facts.restored {
            self.commit(restored.epoch);
        }
        self.touch_workers();
    }

    /// The tasks are those of before: what the last controller had begun is given up or finished.
    fn adopted(&mut self) {
        self.phase = Phase::Rest;
        self.log(Entry::Note("the tasks run, and are adopted".into()));
        self.fail_unfinished("its controller ended");
        let newest = self.catalogue.newest_whole().map(|row| row.id.epoch);
        if let Some(epoch) = newest {
            self.commit(epoch);
        }
        let wait = self.random.up_to(self.wish.checkpoint_interval_ms);
        self.run.next_checkpoint_at = self.now + wait;
        self.touch_workers();
    }

    fn touch_workers(&mut self) {
        for worker in self.run.workers.values_mut() {
            worker.heard_at = self.now;
        }
    }

    pub(super) fn commit(&mut self, epoch: crate::names::Epoch) {
        let generation = self.facts.generation;
        self.effects.push(Action::Commit { generation, epoch });
    }

    /// Tasks run, and this controller knows them.
    pub(super) fn is_running(&self) -> bool {
        let running = matches!(
            self.facts.state,
            State::Running
                | State::Finishing
                | State::Rescaling
                | State::Restarting
                | State::CheckpointStopping
        );
        let waiting = matches!(self.phase, Phase::Adopting { .. } | Phase::Clearing { .. });
        running && !waiting && !self.run.tasks.is_empty()
    }

    pub(super) fn advance_running(&mut self) {
        if let Phase::Clearing { until, again_at } = self.phase {
            if !self.clear_again(until, again_at) {
                self.go(State::Finished);
            }
            return;
        }
        if self.run.tasks.is_empty() {
            self.adopt();
        }
        if let Phase::Adopting { until } = self.phase {
            self.open_channels();
            if !matches!(self.phase, Phase::Adopting { .. }) {
                return;
            }
            let pending = |state: &TaskState| *state == TaskState::Pending;
            if !self.run.tasks.values().any(pending) {
                self.adopted();
            } else if self.now >= until {
                let message = "its workers did not say in time what they run";
                self.recover(Failure::retryable(Domain::External, message));
            }
            return;
        }
        if !self.check_health() {
            return;
        }
        let sources_ended = self.sources_ended();
        if self.facts.state == State::Running && sources_ended {
            self.go(State::Finishing);
        }
        self.advance_checkpoint();
        if self.facts.state == State::Finishing && self.tasks_ended() {
            self.settle_commits();
            self.clear(self.facts.generation);
        } else if self.facts.state == State::Running && self.run.checkpoint.is_none() {
            let due = self.now >= self.run.next_checkpoint_at;
            if due {
                self.begin_checkpoint(false);
            }
        }
    }

    /// Whether all workers were heard of lately; after a while of that, restarts are forgotten.
    pub(super) fn check_health(&mut self) -> bool {
        let timeout = self.settings.heartbeat_timeout_ms;
        let silent = |fact: &&crate::facts::WorkerFact| {
            let known = self.run.workers.get(&fact.id);
            known.is_none_or(|worker| worker.heard_at + timeout <= self.now)
        };
        let silent = self.facts.workers.iter().find(silent).map(|fact| fact.id);
        if let Some(id) = silent {
            self.lost(id, &format!("it was silent for {timeout} ms"));
            return false;
        }
        if self.facts.restarts > 0 && self.now >= self.run.healthy_since + self.settings.healthy_ms
        {
            self.facts.restarts = 0;
            self.facts.failure = None;
        }
        true
    }

    pub(super) fn tasks_ended(&self) -> bool {
        let ended = |state: &TaskState| matches!(state, TaskState::Finished | TaskState::Failed(_));
        self.run.tasks.values().all(ended)
    }

    pub(super) fn sources_ended(&self) -> bool {
        let program = &self.facts.applied.program;
        let mut sources = self.run.tasks.iter();
        sources.all(|(task, state)| !program.is_source(*task) || *state == TaskState::Finished)
    }

    /// When time by itself changes something about running tasks.
    pub(super) fn running_deadline(&self) -> u64 {
        let timeout = self.settings.heartbeat_timeout_ms;
        let heard = self.run.workers.values().map(|w| w.heard_at + timeout);
        let mut at = heard.min().unwrap_or(u64::MAX);
        if self.facts.restarts > 0 {
            at = at.min(self.run.healthy_since + self.settings.healthy_ms);
        }
        if let Some(end) = self
            .ttl_end()
            .filter(|_| self.facts.state == State::Running)
        {
            at = at.min(end);
        }
        match &self.run.checkpoint {
            Some(open) => at.min(open.deadline()),
            None if self.facts.state == State::Running => at.min(self.run.next_checkpoint_at),
            None => at,
        }
    }

    /// When a preview has run long enough.
    pub(super) fn ttl_end(&self) -> Option<u64> {
        Some(self.facts.started_at_ms? + self.wish.ttl_ms?)
    }
}
