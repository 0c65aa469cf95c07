//! What an operator wants, and when it differs from what is.

use super::{Job, Phase};
use crate::action::{Action, Entry, Halt};
use crate::facts::{Domain, Failure, RetryHint, State};
use crate::names::Generation;
use crate::wish::{RestartMode, Stop};

impl Job {
    /// Looks at the wish, in whatever state.
    pub(super) fn obey(&mut self) {
        let stop = self.wish.stop;
        match self.facts.state {
            State::Stopped if stop == Stop::None && self.wish.ttl_ms.is_none() => {
                self.facts.restarts = 0;
                self.go(State::Compiling);
            }
            State::Failed if self.wish.restart_nonce != self.facts.applied.restart_nonce => {
                self.facts.restarts = 0;
                self.facts.failure = None;
                self.go(State::Compiling);
            }
            State::Stopped | State::Failed | State::Finished | State::Failing => {}
            State::Stopping => self.press(stop),
            State::Running if self.ttl_end().is_some_and(|end| self.now >= end) => {
                self.log(Entry::Note("its time is over".into()));
                self.stop(Stop::Immediate);
            }
            State::Running if stop == Stop::None => self.follow(),
            _ if stop == Stop::None => {}
            State::Running if stop == Stop::Checkpoint => {
                if !matches!(self.phase, Phase::Adopting { .. }) && !self.run.tasks.is_empty() {
                    self.begin_last(State::CheckpointStopping);
                }
            }
            State::Rescaling | State::Restarting if stop == Stop::Checkpoint => {
                let phase = self.phase;
                self.go(State::CheckpointStopping);
                self.phase = phase;
            }
            State::CheckpointStopping if stop == Stop::Checkpoint => {}
            State::Finishing if matches!(self.phase, Phase::Clearing { .. }) => {}
            _ => self.stop(stop),
        }
    }

    /// Restarts a running job if it runs with something else than it should.
    fn follow(&mut self) {
        if matches!(self.phase, Phase::Adopting { .. }) || self.run.tasks.is_empty() {
            return;
        }
        let applied = self.facts.applied.clone();
        if self.wish.restart_nonce != applied.restart_nonce {
            match self.wish.restart_mode {
                RestartMode::Safe => self.begin_last(State::Restarting),
                RestartMode::Force => {
                    self.go(State::Restarting);
                    self.attempts = 0;
                    self.schedule();
                }
            }
        } else if self.wish.env != applied.env {
            self.begin_last(State::Restarting);
        } else if self.wish.program != applied.program {
            self.begin_last(State::Rescaling);
        }
        let soonest = self.now + self.wish.checkpoint_interval_ms;
        self.run.next_checkpoint_at = self.run.next_checkpoint_at.min(soonest);
    }

    fn begin_last(&mut self, state: State) {
        self.go(state);
        let until = self.now + self.settings.stop_timeout_ms;
        let begun = false;
        self.phase = Phase::Last { until, begun };
    }

    /// A last checkpoint, and the end of all tasks with it.
    pub(super) fn advance_last(&mut self) {
        let Phase::Last { until, begun } = self.phase else {
            self.left_behind();
            return;
        };
        if self.facts.state == State::Restarting && self.wish.restart_mode == RestartMode::Force {
            self.attempts = 0;
            self.schedule();
            return;
        }
        if !self.check_health() {
            return;
        }
        self.advance_checkpoint();
        if !matches!(self.phase, Phase::Last { .. }) {
            return;
        }
        if !begun && self.sources_ended() {
            self.go(State::Finishing);
        } else if !begun && self.run.checkpoint.is_none() {
            self.phase = Phase::Last { until, begun: true };
            self.begin_checkpoint(true);
        } else if begun && self.run.checkpoint.is_none() && self.tasks_ended() {
            self.after_last();
        } else if self.now >= until {
            let message = "the last checkpoint, and the end of the tasks, took too long";
            let failure = Failure::retryable(Domain::External, message);
            self.last_failed(failure);
        }
    }

    /// A controller was started again in the middle of a last checkpoint, which is lost.
    fn left_behind(&mut self) {
        match self.facts.state {
            State::CheckpointStopping => self.stop(Stop::Immediate),
            _ => self.go(State::Compiling),
        }
    }

    fn after_last(&mut self) {
        if self.facts.state == State::CheckpointStopping {
            self.go(State::Stopping);
            self.clear(self.facts.generation);
        } else {
            self.attempts = 0;
            self.schedule();
        }
    }

    /// The last checkpoint did not work out: the job goes on from the one before.
    pub(super) fn last_failed(&mut self, failure: Failure) {
        if failure.hint == RetryHint::NoRetry {
            self.fail(failure);
        } else if self.facts.state == State::CheckpointStopping {
            self.trouble(failure.clone(), "stopping without it");
            self.facts.failure = Some(failure);
            self.stop(Stop::Immediate);
        } else {
            self.trouble(failure, "going on from the checkpoint before");
            self.attempts = 0;
            self.schedule();
        }
    }

    /// Ends tasks and workers, in the way that is wished as far as the state allows.
    pub(super) fn stop(&mut self, stop: Stop) {
        let had_tasks = self.is_running() && !self.tasks_ended();
        self.go(State::Stopping);
        if self.facts.generation == Generation::default() {
            self.ended();
        } else if stop == Stop::Force || !had_tasks {
            self.clear(self.facts.generation);
        } else if stop == Stop::Graceful {
            self.end_tasks(Halt::Graceful);
        } else {
            self.end_tasks(Halt::Immediate);
        }
    }

    fn end_tasks(&mut self, halt: Halt) {
        let generation = self.facts.generation;
        self.effects
            .push(Action::StopExecution { generation, halt });
        let until = self.now + self.settings.stop_timeout_ms;
        self.phase = Phase::Ending { until, halt };
    }

    /// A stronger wish while tasks end.
    fn press(&mut self, stop: Stop) {
        let Phase::Ending { halt, .. } = self.phase else {
            return;
        };
        match stop {
            Stop::Force => self.clear(self.facts.generation),
            Stop::Immediate if halt == Halt::Graceful => self.end_tasks(Halt::Immediate),
            _ => {}
        }
    }
}
