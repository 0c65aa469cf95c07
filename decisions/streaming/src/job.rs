//! One job's state machine.
//!
//! [`Job::step`] takes one [`Event`] and gives the [`Action`]s that follow. An event only changes
//! what is known; what follows from it is found by looking at all that is known (`settle`), so that
//! it does not matter how often, in which order or by which message something became known. Every
//! wait is a [`Phase`] with an end, and a wish is looked at first of all, in every phase.
//!
//! | module | what |
//! |---|---|
//! | `schedule` | from a wish to running tasks: slots, channels, a checkpoint to start from |
//! | `hear` | what workers say, and what it changes |
//! | `run` | running tasks: health, their end, a controller that was started again |
//! | `checkpoint` | barriers, manifests, commits, garbage |
//! | `wishes` | what an operator wants, and when it differs from what is |
//! | `end` | stopping, recovering, failing: everything that ends with no worker left |
//! | `explain` | what a job waits for, in words |

mod checkpoint;
mod end;
mod explain;
mod hear;
mod run;
mod schedule;
mod wishes;

use std::collections::BTreeMap;

use crate::action::{Action, Entry, Halt};
use crate::assign::Assignments;
use crate::backoff::{Random, pause};
use crate::catalogue::{Catalogue, Row, RowState};
use crate::event::{Event, TaskState};
use crate::facts::{Facts, Failure, State, WorkerFact};
use crate::names::{CheckpointId, Epoch, Generation, TaskId, WorkerId};
use crate::settings::Settings;
use crate::wish::Wish;

/// A job. See the module.
#[derive(Clone, Debug)]
pub struct Job {
    settings: Settings,
    random: Random,
    wish: Wish,
    facts: Facts,
    /// The facts as they were last written.
    saved: Facts,
    catalogue: Catalogue,
    phase: Phase,
    run: Run,
    /// In-state repetitions of `Scheduling` since it was entered.
    attempts: u32,
    /// Up to which generation no worker is left, as far as this controller was told.
    cleared: Generation,
    /// Until when a deletion is under way.
    collecting_until: Option<u64>,
    now: u64,
    wake_at: Option<u64>,
    writes: Vec<Action>,
    effects: Vec<Action>,
}

/// What a job waits for, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing, or what the state itself says.
    Rest,
    /// For a repetition.
    Pausing { until: u64 },
    /// For the end of all workers.
    Clearing { until: u64, again_at: u64 },
    /// For slots, workers, channels and a checkpoint.
    Gathering { until: u64, ask_at: u64 },
    /// For the start of all tasks.
    Starting { until: u64 },
    /// For workers to say what they run.
    Adopting { until: u64 },
    /// For a last checkpoint, and the end of all tasks with it.
    Last { until: u64, begun: bool },
    /// For the end of all tasks.
    Ending { until: u64, halt: Halt },
}

/// What is known of the current generation's workers and tasks.
#[derive(Clone, Debug, Default)]
struct Run {
    workers: BTreeMap<WorkerId, Worker>,
    tasks: BTreeMap<TaskId, TaskState>,
    assignments: Assignments,
    restore: Restore,
    /// How many slots the backend has no room for, as it said last.
    missing: Option<u32>,
    checkpoint: Option<Open>,
    next_checkpoint_at: u64,
    /// Since when nothing went wrong.
    healthy_since: u64,
}

#[derive(Clone, Debug)]
struct Worker {
    fact: WorkerFact,
    channel: ChannelState,
    failures: u32,
    heard_at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChannelState {
    Waiting { at: u64 },
    Opening { until: u64 },
    Open,
}

/// The search for a checkpoint to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Restore {
    #[default]
    Unknown,
    Reading {
        id: CheckpointId,
        until: u64,
    },
    Chosen(Option<CheckpointId>),
}

/// A checkpoint under way.
#[derive(Clone, Debug)]
struct Open {
    row: Row,
    /// Each task's part: whether it prepared output.
    parts: BTreeMap<TaskId, bool>,
    stage: Stage,
    until: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Collecting,
    Writing,
    Committing { waiting: Vec<TaskId>, again_at: u64 },
}

/// A safety net under `settle`: no chain of moves within one step is as long.
const MOVES_MAX: usize = 16;

impl Job {
    /// A job that was just submitted. The first [`Event::Wake`] sets it going.
    pub fn new(settings: Settings, seed: u64, wish: Wish) -> Self {
        Self::known(settings, seed, wish, Facts::default(), Vec::new())
    }

    fn known(settings: Settings, seed: u64, wish: Wish, facts: Facts, rows: Vec<Row>) -> Self {
        Self {
            settings,
            random: Random::new(seed),
            wish,
            saved: facts.clone(),
            facts,
            catalogue: Catalogue::new(rows),
            phase: Phase::Rest,
            run: Run::default(),
            attempts: 0,
            cleared: Generation::default(),
            collecting_until: None,
            now: 0,
            wake_at: None,
            writes: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// What is known of the job.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What is wanted of it.
    pub fn wish(&self) -> &Wish {
        &self.wish
    }

    /// Its checkpoints.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Whether nothing of it runs, and nothing will unless the wish changes.
    pub fn is_done(&self) -> bool {
        self.facts.state.is_done()
    }

    /// What follows from an event; `now` is in milliseconds, and a clock that goes back stands
    /// still. The writes come first: see [`Action`].
    pub fn step(&mut self, now: u64, event: Event) -> Vec<Action> {
        self.now = self.now.max(now);
        if self.collecting_until.is_some_and(|until| self.now >= until) {
            self.collecting_until = None;
        }
        self.take(event);
        for _ in 0..MOVES_MAX {
            let before = (self.facts.state, self.phase, self.facts.generation);
            self.obey();
            self.advance();
            if before == (self.facts.state, self.phase, self.facts.generation) {
                break;
            }
        }
        self.finish_step()
    }

    fn finish_step(&mut self) -> Vec<Action> {
        if self.facts != self.saved {
            self.saved = self.facts.clone();
            let facts = Box::new(self.facts.clone());
            self.writes.push(Action::Save(facts));
        }
        let wake_at = self.deadline();
        if wake_at != self.wake_at {
            self.wake_at = wake_at;
            self.effects
                .extend(wake_at.map(|at_ms| Action::WakeAt { at_ms }));
        }
        let mut actions = std::mem::take(&mut self.writes);
        actions.append(&mut self.effects);
        actions
    }

    fn take(&mut self, event: Event) {
        let current = self.facts.generation;
        match event {
            Event::Wake => {}
            Event::Wish(wish) => self.wish = *wish,
            Event::Slots { generation, answer } if generation == current => self.slots(answer),
            Event::Cleared { generation } => self.cleared(generation),
            Event::Worker {
                generation,
                worker,
                message,
            } if generation == current => self.hear(worker, message),
            Event::Slots { generation, .. } | Event::Worker { generation, .. } => {
                let what = format!("a message of generation {generation}; this is {current}");
                self.log(Entry::Ignored { what });
            }
            Event::Checkpoint { id, found } => self.checked(id, found),
            Event::Manifest { id, result } => self.written(id, result),
            Event::Collected { result } => self.collected(result),
        }
    }

    /// What follows from what is known, and from the time.
    fn advance(&mut self) {
        match self.facts.state {
            State::Created => self.go(State::Compiling),
            State::Compiling => self.compile(),
            State::Scheduling => self.advance_scheduling(),
            State::Running | State::Finishing => self.advance_running(),
            State::Rescaling | State::Restarting | State::CheckpointStopping => {
                self.advance_last();
            }
            State::Stopping | State::Recovering | State::Failing => self.advance_end(),
            State::Stopped | State::Finished | State::Failed => {}
        }
    }

    /// When time by itself changes something.
    fn deadline(&self) -> Option<u64> {
        let phase = match self.phase {
            Phase::Rest => None,
            Phase::Pausing { until }
            | Phase::Starting { until }
            | Phase::Last { until, .. }
            | Phase::Ending { until, .. } => Some(until),
            Phase::Adopting { until } => Some(self.channels_at().min(until)),
            Phase::Clearing { until, again_at } => Some(until.min(again_at)),
            Phase::Gathering { until, ask_at } => {
                let reading = match self.run.restore {
                    Restore::Reading { until, .. } => until,
                    _ => u64::MAX,
                };
                Some(until.min(ask_at).min(reading).min(self.channels_at()))
            }
        };
        let running = self.is_running().then(|| self.running_deadline());
        let garbage = self.collecting_until;
        [phase, running, garbage]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(self.now + 1))
    }

    fn go(&mut self, to: State) {
        let from = std::mem::replace(&mut self.facts.state, to);
        self.phase = Phase::Rest;
        if from != to {
            self.log(Entry::Moved { from, to });
        }
        if to.is_done() {
            self.facts.finished_at_ms = Some(self.now);
            self.facts.workers.clear();
            self.run = Run::default();
            self.fail_unfinished("the job ended");
        }
    }

    fn log(&mut self, entry: Entry) {
        self.effects.push(Action::Log(entry));
    }

    fn put_row(&mut self, row: Row, why: Option<String>) {
        self.log(Entry::Checkpoint {
            id: row.id,
            state: row.state,
            why,
        });
        self.catalogue.put(row.clone());
        self.writes.push(Action::SaveRow(row));
    }

    fn fail_row(&mut self, mut row: Row, why: &str) {
        row.state = RowState::Failed;
        row.finished_at_ms = Some(self.now);
        row.why = Some(why.into());
        self.put_row(row, Some(why.into()));
    }

    /// Marks checkpoints that nobody finishes any more.
    fn fail_unfinished(&mut self, why: &str) {
        self.run.checkpoint = None;
        let open = self.catalogue.rows();
        let open = open.filter(|row| row.state == RowState::InProgress);
        for row in open.cloned().collect::<Vec<_>>() {
            self.fail_row(row, why);
        }
    }

    fn backoff(&mut self, n: u32) -> u64 {
        let Settings {
            backoff_ms,
            backoff_max_ms,
            ..
        } = self.settings;
        pause(backoff_ms, backoff_max_ms, n, &mut self.random)
    }

    fn trouble(&mut self, failure: Failure, then: impl Into<String>) {
        let then = then.into();
        self.log(Entry::Trouble { failure, then });
    }

    /// The number of the next checkpoint: greater than any that was ever taken.
    fn next_epoch(&self) -> Epoch {
        let wished = self.wish.ignore_state_before_epoch.unwrap_or_default();
        let before = Epoch(wished.0.saturating_sub(1));
        self.catalogue.newest_epoch().max(before).next()
    }
}
