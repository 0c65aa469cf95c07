//! A world for one job: a clock, a queue of messages, a store, a disk, a backend with workers. It
//! checks, at every action, what must hold whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use streaming::{
    Action, CheckpointId, Edge, Epoch, Event, Exchange, Facts, Found, Generation, Job, Message,
    Operator, OperatorId, Program, Random, Row, RowState, Settings, State, Stop, Wish, WorkerId,
};

use crate::describe::describe;
use crate::workers::{Knobs, Worker};

/// How often workers report, in milliseconds.
const HEARTBEAT_MS: u64 = 1_000;

/// What goes wrong between the job and the world, each in so many of a thousand messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noise {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) late: u64,
    /// The controller ends in the middle of a step.
    pub(crate) crashes: u64,
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) job: Job,
    pub(crate) knobs: Knobs,
    pub(crate) noise: Noise,
    pub(crate) random: Random,
    pub(crate) settings: Settings,
    pub(crate) workers: BTreeMap<WorkerId, Worker>,
    pub(crate) next_worker: u64,
    pub(crate) slots_per_worker: u32,
    pub(crate) trace: Vec<String>,
    /// The newest epoch whose output any sink has made visible.
    pub(crate) shown: Epoch,
    /// Manifests on disk.
    pub(crate) manifests: BTreeSet<CheckpointId>,
    pub(crate) broken: BTreeSet<CheckpointId>,
    pub(crate) manifest_failure: Option<String>,
    pub(crate) collects: bool,
    /// What the store holds.
    pub(crate) facts: Facts,
    pub(crate) rows: BTreeMap<Epoch, Row>,
    wish: Wish,
    queue: BTreeMap<(u64, u64), Event>,
    sent: u64,
    wake_at: Option<u64>,
    heartbeat_at: u64,
    last_epoch: Epoch,
}

/// A source, an inner operator, and a sink that commits, all of this parallelism.
pub(crate) fn program(parallelism: u32) -> Program {
    let operator = |id| Operator {
        id: OperatorId(id),
        name: format!("op{id}"),
        parallelism,
        source: id == 0,
        shows: id == 2,
    };
    let edge = |from| Edge {
        from: OperatorId(from),
        to: OperatorId(from + 1),
        exchange: Exchange::Shuffle,
    };
    Program {
        operators: (0..3).map(operator).collect(),
        edges: vec![edge(0), edge(1)],
    }
}

impl World {
    /// Parallelism 2, workers of one slot, a checkpoint every 10 s.
    pub(crate) fn new() -> Self {
        Self::with(Settings::default(), Wish::new(program(2)), 7)
    }

    pub(crate) fn with(settings: Settings, wish: Wish, seed: u64) -> Self {
        let job = Job::new(settings.clone(), seed, wish.clone());
        let mut world = Self {
            now: 0,
            job,
            knobs: Knobs::default(),
            noise: Noise::default(),
            random: Random::new(seed),
            settings,
            workers: BTreeMap::new(),
            next_worker: 0,
            slots_per_worker: 1,
            trace: Vec::new(),
            shown: Epoch(0),
            manifests: BTreeSet::new(),
            broken: BTreeSet::new(),
            manifest_failure: None,
            collects: true,
            facts: Facts::default(),
            rows: BTreeMap::new(),
            wish,
            queue: BTreeMap::new(),
            sent: 0,
            wake_at: None,
            heartbeat_at: HEARTBEAT_MS,
            last_epoch: Epoch(0),
        };
        world.queue.insert((0, 0), Event::Wake);
        world
    }

    fn one_of_a_thousand(&mut self, chances: u64) -> bool {
        chances > 0 && self.random.up_to(999) < chances
    }

    /// Sends an event to the job, through the noise.
    pub(crate) fn send(&mut self, delay: u64, event: Event) {
        if self.one_of_a_thousand(self.noise.lost) {
            return;
        }
        let copies = 1 + u64::from(self.one_of_a_thousand(self.noise.doubled));
        for _ in 0..copies {
            let late = self.one_of_a_thousand(self.noise.late);
            let extra = if late { self.random.up_to(20_000) } else { 0 };
            self.sent += 1;
            let at = self.now + delay + extra;
            self.queue.insert((at, self.sent), event.clone());
        }
    }

    /// A worker says something.
    pub(crate) fn say(&mut self, delay: u64, worker: WorkerId, message: Message) {
        let known = self.workers.get(&worker);
        if known.is_some_and(|worker| worker.mute) {
            return;
        }
        let generation = known.map_or(self.facts.generation, |worker| worker.generation);
        let event = Event::Worker {
            generation,
            worker,
            message,
        };
        self.send(delay, event);
    }

    /// The operator changes the wish; the job sees it at once.
    pub(crate) fn wish(&mut self, change: impl FnOnce(&mut Wish)) {
        change(&mut self.wish);
        let wish = Box::new(self.wish.clone());
        self.deliver(Event::Wish(wish));
    }

    pub(crate) fn stop(&mut self, stop: Stop) {
        self.wish(|wish| wish.stop = stop);
    }

    /// The job hears this now.
    pub(crate) fn deliver(&mut self, event: Event) {
        let actions = self.job.step(self.now, event);
        for action in &actions {
            let line = describe(action);
            let at = self.now;
            self.trace
                .extend(line.map(|line| format!("{at:>6} {line}")));
        }
        let first_effect = actions.iter().position(|a| !a.is_write());
        let writes = first_effect.unwrap_or(actions.len());
        assert!(
            actions[writes..].iter().all(|a| !a.is_write()),
            "writes come first: {actions:?}"
        );
        let crash_at = match self.one_of_a_thousand(self.noise.crashes) {
            true => Some(self.random.up_to(actions.len() as u64) as usize),
            false => None,
        };
        for (at, action) in actions.into_iter().enumerate() {
            // The writes of a step are one transaction.
            if crash_at.is_some_and(|crash| crash == 0 || (at >= writes && at >= crash)) {
                return self.crash();
            }
            self.perform(action);
        }
    }

    /// The controller is killed and started again: it knows what the store holds, and hears
    /// nothing of what was under way.
    pub(crate) fn crash(&mut self) {
        self.trace
            .push(format!("{:>6} the controller is killed", self.now));
        self.queue.clear();
        let rows = self.rows.values().cloned().collect();
        let (settings, wish) = (self.settings.clone(), self.wish.clone());
        let seed = self.random.draw();
        self.job = Job::resume(settings, seed, wish, self.facts.clone(), rows);
        self.wake_at = Some(self.now + 1);
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Save(facts) => self.facts = *facts,
            Action::SaveRow(row) => _ = self.rows.insert(row.id.epoch, row),
            Action::Forget(id) => _ = self.rows.remove(&id.epoch),
            Action::ReadCheckpoint { id } => self.read(id),
            Action::WriteManifest { id } => {
                let result = self.manifest_failure.clone().map_or(Ok(()), Err);
                if result.is_ok() {
                    self.manifests.insert(id);
                }
                self.send(2, Event::Manifest { id, result });
            }
            Action::StopWorkers { generation } => self.stop_workers(generation),
            Action::StartWorkers {
                generation, slots, ..
            } => {
                assert_eq!(
                    self.facts.generation, generation,
                    "durable before it starts"
                );
                let old = |w: &&Worker| w.alive && w.generation < generation;
                let old: Vec<_> = self.workers.values().filter(old).collect();
                assert!(
                    old.is_empty(),
                    "generation {generation} starts beside {old:?}"
                );
                self.start_workers(generation, slots);
            }
            Action::OpenChannel { worker, .. } => self.open_channel(worker),
            Action::StartExecution {
                generation,
                execution,
            } => {
                let from = execution.restore.map(|id| id.epoch).unwrap_or_default();
                let shown = self.shown;
                assert!(
                    from >= shown,
                    "from {from}, though {shown} is shown already"
                );
                assert_eq!(
                    self.facts.restored, execution.restore,
                    "known after a crash"
                );
                assert_eq!(generation, self.facts.generation);
                self.start_execution(&execution);
            }
            Action::Checkpoint {
                generation,
                epoch,
                then_stop,
            } => {
                assert!(epoch > self.last_epoch, "epoch {epoch} is taken twice");
                assert!(self.rows.contains_key(&epoch), "durable first");
                self.last_epoch = epoch;
                self.barrier(generation, epoch, then_stop);
            }
            Action::Commit { generation, epoch } => {
                let row = &self.rows[&epoch];
                assert!(row.is_whole(), "{row:?} is committed");
                assert!(
                    self.manifests.contains(&row.id),
                    "without its manifest: {row:?}"
                );
                self.commit(generation, epoch);
            }
            Action::StopExecution { generation, .. } => self.end_tasks(generation),
            Action::CollectGarbage { drop, keep } => self.collect(&drop, &keep),
            Action::Log(_) => {}
            Action::WakeAt { at_ms } => {
                assert!(at_ms > self.now, "a wake-up in the past");
                self.wake_at = Some(at_ms);
            }
        }
    }

    fn read(&mut self, id: CheckpointId) {
        let found = if self.broken.contains(&id) {
            Found::Broken("its checksum is wrong".into())
        } else {
            let there = self.manifests.contains(&id);
            assert!(there, "{id} is read, and was never written or is deleted");
            Found::Whole
        };
        self.send(2, Event::Checkpoint { id, found });
    }

    fn collect(&mut self, drop: &[CheckpointId], keep: &[CheckpointId]) {
        let newest = self.rows.values().rev().find(|row| row.is_whole());
        assert!(
            newest.is_none_or(|row| keep.contains(&row.id)),
            "the newest stays"
        );
        for id in drop {
            assert!(!keep.contains(id), "{id} goes and stays");
            assert_eq!(
                self.rows[&id.epoch].state,
                RowState::Dropping,
                "durable first"
            );
            self.manifests.remove(id);
        }
        if self.collects {
            let result = Ok(drop.to_vec());
            self.send(5, Event::Collected { result });
        }
    }

    /// Lets time pass until `until`, event by event.
    pub(crate) fn run_until(&mut self, until: u64) {
        self.run_while(until, |_| true);
    }

    /// Lets time pass for so long.
    pub(crate) fn run_for(&mut self, ms: u64) {
        self.run_until(self.now + ms);
    }

    /// Lets time pass until the job is in this state.
    pub(crate) fn run_to(&mut self, state: State) {
        let until = self.now + 24 * 3_600_000;
        self.run_while(until, |world| world.state() != state);
        assert_eq!(self.state(), state, "{}", self.tail());
    }

    fn run_while(&mut self, until: u64, wanted: impl Fn(&Self) -> bool) {
        while wanted(self) {
            let next = self.queue.keys().next().map(|(at, _)| *at);
            let wake = self.wake_at.unwrap_or(u64::MAX);
            let at = next.unwrap_or(u64::MAX).min(wake).min(self.heartbeat_at);
            if at > until {
                self.now = self.now.max(until);
                return;
            }
            self.now = self.now.max(at);
            if self.heartbeat_at <= at {
                self.heartbeat_at += HEARTBEAT_MS;
                self.heartbeats();
            } else if wake <= at {
                self.wake_at = None;
                self.deliver(Event::Wake);
            } else if let Some((_, event)) = self.queue.pop_first() {
                self.deliver(event);
            }
        }
    }

    fn heartbeats(&mut self) {
        let alive = self.workers.iter();
        let alive = alive.filter(|(_, w)| w.alive && !w.mute && !w.tasks.is_empty());
        for id in alive.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.report(id);
        }
    }

    pub(crate) fn state(&self) -> State {
        self.job.facts().state
    }

    pub(crate) fn generation(&self) -> Generation {
        self.job.facts().generation
    }

    pub(crate) fn failure(&self) -> String {
        let failure = self.job.facts().failure.as_ref();
        failure.map_or(String::new(), |failure| failure.message.clone())
    }

    /// The living workers of the current generation.
    pub(crate) fn alive(&self) -> Vec<WorkerId> {
        let current = self.generation();
        let alive = self.workers.iter();
        let alive = alive.filter(|(_, w)| w.alive && w.generation == current);
        alive.map(|(id, _)| *id).collect()
    }

    /// The states that the job went through, in order.
    pub(crate) fn moves(&self) -> Vec<&str> {
        let moved = self
            .trace
            .iter()
            .filter_map(|line| line.split_once("log: "));
        let moved = moved.filter_map(|(_, entry)| entry.split_once(" -> "));
        moved.map(|(_, to)| to).collect()
    }

    /// How many lines of the trace contain this.
    pub(crate) fn count(&self, words: &str) -> usize {
        self.trace
            .iter()
            .filter(|line| line.contains(words))
            .count()
    }

    pub(crate) fn tail(&self) -> String {
        let from = self.trace.len().saturating_sub(40);
        self.trace[from..].join("\n")
    }

    /// Compares the trace with a file in `golden`; `BLESS=1` writes it.
    #[expect(
        clippy::disallowed_methods,
        reason = "a golden file is read, and written when asked"
    )]
    pub(crate) fn check_golden(&self, name: &str) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/job/golden");
        let path = format!("{folder}/{name}.txt");
        let found = self.trace.join("\n") + "\n";
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &found).unwrap();
        }
        let wanted = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == wanted, "{path} (BLESS=1 accepts this):\n{found}");
    }
}
