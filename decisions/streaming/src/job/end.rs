//! Everything that ends with no worker left: stopping, recovering, failing.

use super::{Job, Phase};
use crate::action::{Action, Entry};
use crate::facts::{Domain, Failure, State};
use crate::names::Generation;

impl Job {
    /// Kills all workers up to this generation, and waits until they are gone.
    pub(super) fn clear(&mut self, generation: Generation) {
        let until = self.now + self.settings.clear_timeout_ms;
        let again_at = self.now + self.settings.clear_retry_ms;
        self.phase = Phase::Clearing { until, again_at };
        self.effects.push(Action::StopWorkers { generation });
    }

    /// Which workers have to be gone: the current ones, but while a new generation is scheduled
    /// those before it.
    fn clearing(&self) -> Generation {
        let current = self.facts.generation;
        match self.facts.state {
            State::Scheduling => Generation(current.0.saturating_sub(1)),
            _ => current,
        }
    }

    /// Orders it again when it is time; whether there is still time.
    pub(super) fn clear_again(&mut self, until: u64, again_at: u64) -> bool {
        if self.now >= until {
            return false;
        }
        if self.now >= again_at {
            let generation = self.clearing();
            self.effects.push(Action::StopWorkers { generation });
            let again_at = self.now + self.settings.clear_retry_ms;
            self.phase = Phase::Clearing { until, again_at };
        }
        true
    }

    /// The workers are gone.
    pub(super) fn cleared(&mut self, generation: Generation) {
        self.cleared = self.cleared.max(generation);
        if !matches!(self.phase, Phase::Clearing { .. }) || generation < self.clearing() {
            return;
        }
        match self.facts.state {
            State::Scheduling => self.gather(),
            State::Finishing => self.go(State::Finished),
            State::Recovering => {
                let wait = match self.facts.restarts {
                    0 | 1 => 0,
                    restarts => self.backoff(restarts - 2),
                };
                let until = self.now + wait;
                self.phase = Phase::Pausing { until };
            }
            _ => self.ended(),
        }
    }

    /// Nothing of the job runs any more.
    pub(super) fn ended(&mut self) {
        match self.facts.state {
            State::Failing => self.go(State::Failed),
            State::Stopping => self.go(State::Stopped),
            _ => {}
        }
    }

    pub(super) fn advance_end(&mut self) {
        let phase = self.phase;
        match phase {
            // A controller was started again in the middle of it.
            Phase::Rest if self.facts.state == State::Recovering => self.go(State::Compiling),
            Phase::Rest => self.clear(self.facts.generation),
            Phase::Pausing { until } if self.now >= until => self.go(State::Compiling),
            Phase::Ending { until, .. } if self.tasks_ended() || self.now >= until => {
                if !self.tasks_ended() {
                    let note = "the tasks did not end in time; their workers are killed";
                    self.log(Entry::Note(note.into()));
                }
                self.clear(self.facts.generation);
            }
            Phase::Clearing { until, again_at } if !self.clear_again(until, again_at) => {
                self.not_cleared();
            }
            _ => {}
        }
    }

    fn not_cleared(&mut self) {
        let message = "the backend did not confirm the end of all workers";
        if self.facts.state == State::Recovering {
            self.recover(Failure::retryable(Domain::External, message));
        } else {
            self.log(Entry::Note(message.into()));
            self.ended();
        }
    }

    /// Starts over from the last checkpoint, unless that was done too often already.
    pub(super) fn recover(&mut self, failure: Failure) {
        if self.wish.ttl_ms.is_some() {
            self.fail(failure);
            return;
        }
        let restarts = self.facts.restarts;
        if self
            .settings
            .restarts_max
            .is_some_and(|max| restarts >= max)
        {
            let message = format!("exhausted after {restarts} restarts: {}", failure.message);
            self.fail(Failure { message, ..failure });
            return;
        }
        self.facts.restarts = restarts.saturating_add(1);
        self.trouble(failure.clone(), "recovering");
        self.facts.failure = Some(failure);
        self.fail_unfinished("the job is recovered");
        self.go(State::Recovering);
        self.clear(self.facts.generation);
    }

    /// As [`Job::recover`], and not from this checkpoint again.
    pub(super) fn recover_from_older(&mut self, failure: Failure) {
        let usable = match self.facts.restored {
            Some(restored) => self.give_up_checkpoint(restored, &failure.message),
            None => true,
        };
        if usable {
            self.recover(failure);
        }
    }

    /// Ends the job for good, or until somebody restarts it.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.trouble(failure.clone(), "the job fails");
        self.facts.failure = Some(failure);
        self.fail_unfinished("the job failed");
        self.go(State::Failing);
        if self.facts.generation == Generation::default() {
            self.ended();
        } else {
            self.clear(self.facts.generation);
        }
    }
}
