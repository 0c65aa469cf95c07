//! Workers that do what they are told, and a backend that starts them.

use std::collections::{BTreeMap, BTreeSet};

use streaming::{
    Epoch, Event, Execution, Failure, Generation, Message, Slots, TaskId, TaskState, WorkerId,
};

use crate::world::World;

/// A worker process.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub(crate) generation: Generation,
    pub(crate) alive: bool,
    /// It does what it is told, and nobody hears of it.
    pub(crate) mute: bool,
    /// How often opening a channel to it still fails.
    pub(crate) unreachable: u32,
    pub(crate) tasks: BTreeMap<TaskId, TaskState>,
    shows: BTreeSet<TaskId>,
    /// Output that was prepared and is not visible.
    prepared: BTreeMap<TaskId, BTreeSet<Epoch>>,
    /// Tasks that end when they have committed.
    ending: BTreeSet<TaskId>,
}

/// What the world's workers and backend do otherwise than well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Knobs {
    /// Slots that there are in all; without end if `None`.
    pub(crate) capacity: Option<u32>,
    /// The backend answers this instead.
    pub(crate) slots: Option<Slots>,
    /// New workers can be reached only after so many attempts.
    pub(crate) unreachable: u32,
    /// New workers never connect.
    pub(crate) silent: bool,
    /// They connect, and die before they are told anything.
    pub(crate) dying: bool,
    /// Tasks do not start.
    pub(crate) stuck: bool,
    /// The backend does not say that workers are gone, and does not end them.
    pub(crate) immortal: bool,
    /// Workers answer so when they are to start.
    pub(crate) start: Option<Message>,
    /// The first task fails so as soon as it has started.
    pub(crate) failing: Option<Failure>,
    /// Sources come to their end at once, all but so many tasks.
    pub(crate) finite: bool,
    /// Barriers never arrive.
    pub(crate) hanging: bool,
    /// Sinks do not commit.
    pub(crate) lazy: bool,
    /// Tasks do not end when they are told to.
    pub(crate) stubborn: bool,
}

impl World {
    pub(crate) fn start_workers(&mut self, generation: Generation, slots: u32) {
        if let Some(answer) = self.knobs.slots.clone() {
            self.send(1, Event::Slots { generation, answer });
            return;
        }
        if let Some(capacity) = self.knobs.capacity.filter(|capacity| *capacity < slots) {
            let missing = slots - capacity;
            let answer = Slots::TooFew { missing };
            self.send(1, Event::Slots { generation, answer });
            return;
        }
        let answer = Slots::Starting;
        self.send(1, Event::Slots { generation, answer });
        if self.workers.values().any(|w| w.generation == generation) {
            return;
        }
        let mut missing = slots;
        while missing > 0 {
            let own = self.slots_per_worker;
            missing = missing.saturating_sub(own);
            self.next_worker += 1;
            let id = WorkerId(self.next_worker);
            let node = format!("node{}", self.next_worker % 2);
            let worker = Worker {
                generation,
                alive: true,
                mute: false,
                unreachable: self.knobs.unreachable,
                tasks: BTreeMap::new(),
                shows: BTreeSet::new(),
                prepared: BTreeMap::new(),
                ending: BTreeSet::new(),
            };
            self.workers.insert(id, worker);
            if !self.knobs.silent {
                let message = Message::Connected { node, slots: own };
                self.say(10, id, message);
            }
            if self.knobs.dying {
                self.kill_worker(id);
            }
        }
    }

    /// A worker's process ends; its channel breaks.
    pub(crate) fn kill_worker(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id)
            && worker.alive
        {
            worker.alive = false;
            self.say(12, id, Message::Lost("its process ended".into()));
        }
    }

    pub(crate) fn open_channel(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return self.say(1, id, Message::ChannelFailed("no such worker".into()));
        };
        if !worker.alive || worker.unreachable > 0 {
            worker.unreachable = worker.unreachable.saturating_sub(1);
            return self.say(1, id, Message::ChannelFailed("connection refused".into()));
        }
        if !worker.mute {
            self.say(1, id, Message::ChannelOpen);
            self.report(id);
        }
    }

    /// All that a worker knows of its tasks.
    pub(crate) fn report(&mut self, id: WorkerId) {
        let worker = &self.workers[&id];
        let tasks = worker.tasks.clone().into_iter().collect();
        self.say(1, id, Message::Report(tasks));
    }

    pub(crate) fn stop_workers(&mut self, generation: Generation) {
        if self.knobs.immortal {
            return;
        }
        for worker in self.workers.values_mut() {
            worker.alive &= worker.generation > generation;
        }
        self.send(2, Event::Cleared { generation });
    }

    pub(crate) fn start_execution(&mut self, execution: &Execution) {
        let parallelism = execution.program.parallelism();
        for (id, tasks) in execution.assignments.tasks(&parallelism) {
            if let Some(answer) = self.knobs.start.clone() {
                self.say(2, id, answer);
                continue;
            }
            if !self.workers.get(&id).is_some_and(|worker| worker.alive) {
                continue;
            }
            for task in tasks {
                let operators = &execution.program.operators;
                let shows = operators.iter().any(|o| o.id == task.operator && o.shows);
                let worker = self.workers.get_mut(&id).unwrap();
                if shows {
                    worker.shows.insert(task);
                }
                worker.tasks.insert(task, TaskState::Pending);
                if !self.knobs.stuck {
                    self.move_task(5, id, task, TaskState::Started);
                }
                if self.knobs.finite {
                    self.move_task(6, id, task, TaskState::Finished);
                }
                if task == TaskId::new(0, 0)
                    && let Some(failure) = self.knobs.failing.clone()
                {
                    self.move_task(6, id, task, TaskState::Failed(failure));
                }
            }
        }
    }

    pub(crate) fn move_task(&mut self, delay: u64, id: WorkerId, task: TaskId, state: TaskState) {
        let worker = self.workers.get_mut(&id).unwrap();
        worker.tasks.insert(task, state.clone());
        self.say(delay, id, Message::Task { task, state });
    }

    pub(crate) fn barrier(&mut self, generation: Generation, epoch: Epoch, then_stop: bool) {
        if self.knobs.hanging {
            return;
        }
        for (id, task) in self.live_tasks(generation) {
            let worker = self.workers.get_mut(&id).unwrap();
            let prepared =
                worker.shows.contains(&task) && worker.tasks[&task] == TaskState::Started;
            if prepared {
                worker.prepared.entry(task).or_default().insert(epoch);
            }
            let ends = then_stop && worker.tasks[&task] == TaskState::Started;
            if ends && prepared {
                worker.ending.insert(task);
            }
            let message = Message::Checkpointed {
                epoch,
                task,
                bytes: 100,
                prepared,
            };
            self.say(3, id, message);
            if ends && !prepared {
                self.move_task(4, id, task, TaskState::Finished);
            }
        }
    }

    pub(crate) fn commit(&mut self, generation: Generation, epoch: Epoch) {
        if self.knobs.lazy {
            return;
        }
        for (id, task) in self.live_tasks(generation) {
            let worker = self.workers.get_mut(&id).unwrap();
            if !worker.shows.contains(&task) {
                continue;
            }
            let of_task = worker.prepared.entry(task).or_default();
            of_task.retain(|prepared| *prepared > epoch);
            let ends = worker.ending.remove(&task);
            self.shown = self.shown.max(epoch);
            self.say(2, id, Message::Committed { epoch, task });
            if ends {
                self.move_task(3, id, task, TaskState::Finished);
            }
        }
    }

    pub(crate) fn end_tasks(&mut self, generation: Generation) {
        if self.knobs.stubborn {
            return;
        }
        for (id, task) in self.live_tasks(generation) {
            if self.workers[&id].tasks[&task] == TaskState::Started {
                self.move_task(4, id, task, TaskState::Finished);
            }
        }
    }

    /// The tasks of living workers of a generation, those that have ended among them.
    pub(crate) fn live_tasks(&self, generation: Generation) -> Vec<(WorkerId, TaskId)> {
        let own = self.workers.iter();
        let own = own.filter(|(_, w)| w.alive && w.generation == generation);
        own.flat_map(|(id, w)| w.tasks.keys().map(|task| (*id, *task)))
            .collect()
    }
}
