//! From a wish to running tasks.

use super::{ChannelState, Job, Phase, Restore, Run, Worker};
use crate::action::{Action, Execution};
use crate::assign::compute_assignments;
use crate::backoff::pause;
use crate::event::{Found, Slots, TaskState};
use crate::facts::{Domain, Failure, State, WorkerFact};
use crate::names::{CheckpointId, WorkerId};
use crate::program::slots_needed;

/// What can go wrong while a job is scheduled and is then tried again, as often as is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The backend could not say whether there are slots.
    Backend,
    /// Workers of an earlier generation do not end.
    Clear,
    /// Not enough workers came in time, or not all tasks started in time.
    Late,
    /// A worker could not be reached, ended, or did not take its tasks.
    Worker,
    /// A worker could not set its tasks up.
    Setup,
    /// A checkpoint could not be read, this time.
    Read,
}

impl Class {
    /// Attempts, the first included.
    fn budget(self) -> u32 {
        match self {
            Self::Backend => 20,
            Self::Clear | Self::Worker | Self::Read => 10,
            Self::Setup => 5,
            Self::Late => 3,
        }
    }
}

impl Job {
    pub(super) fn compile(&mut self) {
        match self.wish.program.check() {
            Ok(()) => {
                self.attempts = 0;
                self.schedule();
            }
            Err(error) => self.fail(Failure::fatal(Domain::User, error.to_string())),
        }
    }

    /// A new attempt: a new generation, which is durable before anything of it exists.
    pub(super) fn schedule(&mut self) {
        let before = self.facts.generation;
        self.fail_unfinished("its generation ended");
        self.run = Run::default();
        self.facts.generation = before.next();
        self.facts.applied = self.wish.applied();
        self.facts.workers.clear();
        self.facts.restored = None;
        self.go(State::Scheduling);
        if self.cleared >= before {
            self.gather();
        } else {
            self.clear(before);
        }
    }

    pub(super) fn gather(&mut self) {
        let until = self.now + self.shortened(self.settings.worker_startup_ms);
        let ask_at = self.now;
        self.phase = Phase::Gathering { until, ask_at };
        self.choose_restore();
    }

    /// A patience, which that of a preview shortens.
    fn shortened(&self, patience_ms: u64) -> u64 {
        self.wish.ttl_ms.unwrap_or(u64::MAX).min(patience_ms)
    }

    /// Tries again from the start of `Scheduling`, while there are attempts left.
    pub(super) fn retry(&mut self, class: Class, failure: Failure) {
        self.attempts += 1;
        if self.attempts >= class.budget() {
            let tried = format!("{} (tried {} times)", failure.message, self.attempts);
            self.recover(Failure {
                message: tried,
                ..failure
            });
            return;
        }
        let wait = self.backoff(self.attempts - 1);
        self.trouble(failure, format!("scheduling again in {wait} ms"));
        let until = self.now + wait;
        self.phase = Phase::Pausing { until };
    }

    pub(super) fn advance_scheduling(&mut self) {
        if self.facts.applied != self.wish.applied() {
            self.schedule();
            return;
        }
        let phase = self.phase;
        match phase {
            // Its controller ended while it was scheduled.
            Phase::Rest => self.go(State::Compiling),
            Phase::Pausing { until } if self.now >= until => self.schedule(),
            Phase::Clearing { until, again_at } if !self.clear_again(until, again_at) => {
                let message = "workers of the generation before do not end";
                let failure = Failure::retryable(Domain::External, message);
                self.retry(Class::Clear, failure);
            }
            Phase::Gathering { until, ask_at } => self.advance_gathering(until, ask_at),
            Phase::Starting { until } => self.advance_starting(until),
            _ => {}
        }
    }

    fn advance_gathering(&mut self, until: u64, ask_at: u64) {
        let needed = slots_needed(&self.facts.applied.program.parallelism());
        if self.now >= ask_at {
            self.effects.push(Action::StartWorkers {
                generation: self.facts.generation,
                slots: needed,
                env: self.facts.applied.env.clone(),
            });
            let ask_at = self.now + self.settings.slots_answer_ms;
            self.phase = Phase::Gathering { until, ask_at };
        }
        self.open_channels();
        if !matches!(self.phase, Phase::Gathering { .. }) {
            return;
        }
        let open = |worker: &&Worker| worker.channel == ChannelState::Open;
        let workers: Vec<WorkerFact> = self
            .run
            .workers
            .values()
            .filter(open)
            .map(|worker| worker.fact.clone())
            .collect();
        let found: u64 = workers.iter().map(|worker| u64::from(worker.slots)).sum();
        match self.run.restore {
            Restore::Chosen(restore) if found >= u64::from(needed) => {
                self.start(restore, &workers);
            }
            Restore::Reading { id, until } if self.now >= until => {
                let message = format!("checkpoint {id} was not read in time");
                self.retry(Class::Read, Failure::retryable(Domain::External, message));
            }
            _ if self.now >= until => self.too_late(needed, found),
            _ => {}
        }
    }

    fn too_late(&mut self, needed: u32, found: u64) {
        if let Some(missing) = self.run.missing {
            let message =
                format!("not enough slots to schedule the job: {needed} needed, {missing} missing");
            self.fail(Failure::fatal(Domain::External, message));
            return;
        }
        let message = format!("workers with {found} of {needed} slots came in time");
        self.retry(Class::Late, Failure::retryable(Domain::External, message));
    }

    /// The backend's answer.
    pub(super) fn slots(&mut self, answer: Slots) {
        let Phase::Gathering { until, .. } = self.phase else {
            return;
        };
        match answer {
            Slots::Starting => {
                self.run.missing = None;
                let ask_at = u64::MAX;
                self.phase = Phase::Gathering { until, ask_at };
            }
            Slots::TooFew { missing } => {
                self.run.missing = Some(missing);
                let ask_at = self.now + self.settings.slots_retry_ms;
                self.phase = Phase::Gathering { until, ask_at };
            }
            Slots::Failed(why) => {
                let message = format!("failed to start workers: {why}");
                self.retry(
                    Class::Backend,
                    Failure::retryable(Domain::External, message),
                );
            }
            Slots::Refused(why) => {
                let message = format!("the workers can never start: {why}");
                self.fail(Failure::fatal(Domain::User, message));
            }
        }
    }

    /// Opens what is due, and gives up what takes too long or has failed too often.
    pub(super) fn open_channels(&mut self) {
        let generation = self.facts.generation;
        let mut late = Vec::new();
        for (id, worker) in &mut self.run.workers {
            match worker.channel {
                ChannelState::Waiting { at } if self.now >= at => {
                    let until = self.now + self.settings.channel_answer_ms;
                    worker.channel = ChannelState::Opening { until };
                    let worker = *id;
                    self.effects
                        .push(Action::OpenChannel { generation, worker });
                }
                ChannelState::Opening { until } if self.now >= until => late.push(*id),
                _ => {}
            }
        }
        for id in late {
            self.channel_failed(id, "it does not answer");
        }
    }

    pub(super) fn channel_failed(&mut self, id: WorkerId, why: &str) {
        let Some(worker) = self.run.workers.get_mut(&id) else {
            return;
        };
        if worker.channel == ChannelState::Open {
            return;
        }
        worker.failures += 1;
        if worker.failures < self.settings.channel_attempts {
            let base = self.settings.channel_backoff_ms;
            let wait = pause(base, u64::MAX, worker.failures - 1, &mut self.random);
            let at = self.now + wait;
            worker.channel = ChannelState::Waiting { at };
            return;
        }
        let attempts = worker.failures;
        let message = format!("failed to reach worker {id} {attempts} times: {why}");
        self.worker_trouble(Failure::retryable(Domain::External, message));
    }

    /// When the next channel is to be opened, or given up.
    pub(super) fn channels_at(&self) -> u64 {
        let at = |worker: &Worker| match worker.channel {
            ChannelState::Waiting { at } => at,
            ChannelState::Opening { until } => until,
            ChannelState::Open => u64::MAX,
        };
        self.run.workers.values().map(at).min().unwrap_or(u64::MAX)
    }

    /// Reads the best checkpoint that is left; with none, the job starts from nothing.
    fn choose_restore(&mut self) {
        let from = self.wish.ignore_state_before_epoch;
        let best = self.catalogue.restorable(from).first().map(|row| row.id);
        let Some(id) = best else {
            self.chosen(None);
            return;
        };
        let until = self.now + self.settings.manifest_timeout_ms;
        self.run.restore = Restore::Reading { id, until };
        self.effects.push(Action::ReadCheckpoint { id });
    }

    fn chosen(&mut self, restore: Option<CheckpointId>) {
        self.run.restore = Restore::Chosen(restore);
        let void: Vec<_> = self.catalogue.void(restore).into_iter().cloned().collect();
        for row in void {
            self.fail_row(row, "the job goes on from another checkpoint");
        }
    }

    /// The answer to the question for a checkpoint.
    pub(super) fn checked(&mut self, id: CheckpointId, found: Found) {
        if !matches!(self.run.restore, Restore::Reading { id: asked, .. } if asked == id) {
            return;
        }
        match found {
            Found::Whole => self.chosen(Some(id)),
            Found::Broken(why) => {
                self.run.restore = Restore::Unknown;
                if self.give_up_checkpoint(id, &why) {
                    self.choose_restore();
                }
            }
            Found::Failed(why) => {
                let message = format!("failed to read checkpoint {id}: {why}");
                self.retry(Class::Read, Failure::retryable(Domain::External, message));
            }
        }
    }

    /// Marks a checkpoint that cannot be used. What was shown because of it cannot be taken back,
    /// unless the sinks can do that; then the job fails instead of showing it twice.
    pub(super) fn give_up_checkpoint(&mut self, id: CheckpointId, why: &str) -> bool {
        let Some(row) = self.catalogue.get(id.epoch).cloned() else {
            return true;
        };
        let shown = row.commits && row.is_whole();
        if shown && !self.wish.program.rewinds() {
            let epoch = id.epoch.next();
            let message = format!(
                "checkpoint {id} cannot be used ({why}), and what was written up to it is shown \
                 already: going on from an older one would show it twice. To start from nothing, \
                 restart with ignore_state_before_epoch {epoch}"
            );
            self.fail(Failure::fatal(Domain::External, message));
            return false;
        }
        self.fail_row(row, why);
        true
    }

    fn start(&mut self, restore: Option<CheckpointId>, workers: &[WorkerFact]) {
        let program = self.facts.applied.program.clone();
        let assignments = match compute_assignments(&program.parallelism(), workers) {
            Ok(assignments) => assignments,
            Err(error) => {
                let failure = Failure::retryable(Domain::Internal, error.to_string());
                self.retry(Class::Late, failure);
                return;
            }
        };
        let used = |worker: &&WorkerFact| assignments.shares.iter().any(|s| s.worker == worker.id);
        self.facts.workers = workers.iter().filter(used).cloned().collect();
        self.facts.restored = restore;
        let tasks = program.tasks().into_iter();
        self.run.tasks = tasks.map(|task| (task, TaskState::Pending)).collect();
        self.run.assignments = assignments.clone();
        let execution = Box::new(Execution {
            assignments,
            program,
            restore,
        });
        let generation = self.facts.generation;
        self.effects.push(Action::StartExecution {
            generation,
            execution,
        });
        let until = self.now + self.shortened(self.settings.task_startup_ms);
        self.phase = Phase::Starting { until };
    }

    fn advance_starting(&mut self, until: u64) {
        let pending = |state: &&TaskState| **state == TaskState::Pending;
        let pending = self.run.tasks.values().filter(pending).count();
        if pending == 0 {
            self.begin_running();
        } else if self.now >= until {
            let message = format!("{pending} tasks did not start in time");
            self.retry(Class::Late, Failure::retryable(Domain::External, message));
        }
    }

    /// A worker is there.
    pub(super) fn connected(&mut self, id: WorkerId, node: String, slots: u32) {
        if !matches!(self.phase, Phase::Gathering { .. }) || self.run.workers.contains_key(&id) {
            return;
        }
        let worker = Worker {
            fact: WorkerFact { id, node, slots },
            channel: ChannelState::Waiting { at: self.now },
            failures: 0,
            heard_at: self.now,
        };
        self.run.workers.insert(id, worker);
    }
}
