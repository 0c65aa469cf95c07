//! One run of a job in a worker.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::StopMode;
use crate::events::{Counters, Event, Listener, TaskMetrics};
use crate::exchange::{Inlets, Link, Lost};
use crate::failure::Failure;
use crate::inbox::{Barrier, Control, Inbox};
use crate::manifest::{TaskId, TaskSnapshot};

/// See the module.
pub(crate) struct Run {
    pub(crate) job: String,
    pub(crate) generation: u64,
    pub(crate) token: String,
    pub(crate) listener: Listener,
    pub(crate) tasks: BTreeMap<TaskId, Local>,
    pub(crate) inlets: Inlets,
    pub(crate) blueprint: super::launch::Blueprint,
    pub(crate) alive: AtomicUsize,
    pub(crate) phase: Mutex<Phase>,
    pub(crate) changed: Condvar,
    ended: Mutex<Ended>,
    connections: Mutex<(Vec<Arc<Link>>, Vec<TcpStream>)>,
}

/// A task of this worker.
pub(crate) struct Local {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) is_source: bool,
}

/// How far the start has come.
#[derive(Default)]
pub(crate) struct Phase {
    /// Tasks that are restored and wait for the others.
    pub(crate) ready: usize,
    pub(crate) stopped: bool,
}

/// Tasks whose data has ended, which are part of every later checkpoint.
#[derive(Default)]
struct Ended {
    /// Checkpoints that were begun and are not committed.
    open: Vec<u64>,
    tasks: BTreeMap<TaskId, (TaskSnapshot, Vec<u64>)>,
}

impl AsRef<Inlets> for Run {
    fn as_ref(&self) -> &Inlets {
        &self.inlets
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    pub(crate) fn new(
        blueprint: super::launch::Blueprint,
        listener: Listener,
        tasks: BTreeMap<TaskId, Local>,
        inlets: Inlets,
    ) -> Run {
        let execution = &blueprint.execution;
        Run {
            job: execution.job.clone(),
            generation: execution.generation,
            token: execution.token.clone(),
            listener,
            alive: AtomicUsize::new(tasks.len()),
            tasks,
            inlets,
            blueprint,
            phase: Mutex::default(),
            changed: Condvar::new(),
            ended: Mutex::default(),
            connections: Mutex::default(),
        }
    }

    pub(crate) fn say(&self, event: Event) {
        (self.listener)(event);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.alive.load(Ordering::Acquire) == 0
    }

    pub(crate) fn checkpoint(&self, epoch: u64, then_stop: bool) {
        let mut ended = locked(&self.ended);
        ended.open.push(epoch);
        for (snapshot, _) in ended.tasks.values() {
            self.say(Event::CheckpointCompleted {
                epoch,
                snapshot: snapshot.clone(),
            });
        }
        let barrier = Barrier { epoch, then_stop };
        for task in self.tasks.values().filter(|task| task.is_source) {
            task.inbox.control(Control::Checkpoint(barrier));
        }
    }

    pub(crate) fn commit(&self, epoch: u64) {
        let mut ended = locked(&self.ended);
        ended.open.retain(|open| *open > epoch);
        for (task, (_, owed)) in &mut ended.tasks {
            if owed.iter().any(|owed| *owed <= epoch) {
                owed.retain(|owed| *owed > epoch);
                self.say(Event::Committed {
                    task: task.clone(),
                    epoch,
                });
            }
        }
        for task in self.tasks.values() {
            task.inbox.control(Control::Commit(epoch));
        }
    }

    /// A task's data has ended; `passed` is the last checkpoint it took part in by itself, `owed`
    /// are those whose commit it has not confirmed.
    pub(crate) fn data_ended(&self, snapshot: TaskSnapshot, passed: u64, owed: Vec<u64>) {
        let mut ended = locked(&self.ended);
        for epoch in ended.open.iter().filter(|epoch| **epoch > passed) {
            self.say(Event::CheckpointCompleted {
                epoch: *epoch,
                snapshot: snapshot.clone(),
            });
        }
        ended.tasks.insert(snapshot.task.clone(), (snapshot, owed));
    }

    pub(crate) fn step(&self, rows: u64) {
        for task in self.tasks.values().filter(|task| task.is_source) {
            task.inbox.control(Control::Step(rows));
        }
    }

    pub(crate) fn stop(&self, mode: StopMode) {
        if mode == StopMode::Graceful {
            for task in self.tasks.values().filter(|task| task.is_source) {
                task.inbox.control(Control::Stop);
            }
            return;
        }
        locked(&self.phase).stopped = true;
        self.changed.notify_all();
        self.tasks.values().for_each(|task| task.inbox.close());
        let connections = locked(&self.connections);
        connections.0.iter().for_each(|link| link.close());
        connections
            .1
            .iter()
            .for_each(|stream| _ = stream.shutdown(Shutdown::Both));
    }

    /// Keeps what is to be closed when the run is stopped.
    pub(crate) fn dialled(&self, link: &Arc<Link>) {
        locked(&self.connections).0.push(link.clone());
        if locked(&self.phase).stopped {
            link.close();
        }
    }

    pub(crate) fn accepted(&self, stream: &TcpStream) {
        locked(&self.connections).1.extend(stream.try_clone());
        if locked(&self.phase).stopped {
            _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// No task sends any more: what was written arrives, then the connections end.
    pub(crate) fn over(&self) {
        locked(&self.connections).0.clear();
    }

    /// A connection ended while a task waits for more from it.
    pub(crate) fn lost(&self, lost: &Lost) {
        let Some(id) = lost.waiting.filter(|_| !locked(&self.phase).stopped) else {
            return;
        };
        let Some(inlet) = self.inlets.get(&id) else {
            return;
        };
        let owner = self
            .tasks
            .iter()
            .find(|(_, task)| Arc::ptr_eq(&task.inbox, &inlet.inbox));
        if let Some((task, _)) = owner {
            let what = format!("lost the connection from worker {}", inlet.from_worker);
            let failure = Failure::io(what, &lost.error);
            self.say(Event::Failed {
                task: task.clone(),
                failure,
            });
        }
    }

    /// Waits until every task is restored; whether to run.
    pub(crate) fn gate(&self) -> bool {
        let mut phase = locked(&self.phase);
        phase.ready += 1;
        self.changed.notify_all();
        let wait = |phase: &mut Phase| phase.ready < self.tasks.len() && !phase.stopped;
        let phase = self
            .changed
            .wait_while(phase, wait)
            .unwrap_or_else(PoisonError::into_inner);
        !phase.stopped
    }

    /// Waits so long, or until the run is stopped; whether it goes on.
    pub(crate) fn pause(&self, wait: Duration) -> bool {
        let running = |phase: &mut Phase| !phase.stopped;
        let waited = self
            .changed
            .wait_timeout_while(locked(&self.phase), wait, running);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    /// Waits until the run is stopped.
    pub(crate) fn wait_for_stop(&self) {
        let wait = |phase: &mut Phase| !phase.stopped;
        drop(self.changed.wait_while(locked(&self.phase), wait));
    }

    pub(crate) fn metrics(&self) -> Vec<TaskMetrics> {
        self.tasks
            .iter()
            .map(|(id, task)| task.counters.read(id.clone()))
            .collect()
    }
}
