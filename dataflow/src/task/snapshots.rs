//! The checkpoints of one task: written behind its back, restored before its first row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::events::{Event, Listener, Step};
use crate::failure::{Failure, Halt};
use crate::hash;
use crate::manifest::{Manifest, NodeSnapshot, TableFile, TaskId, TaskSnapshot};
use crate::operators::{State, Table};
use crate::storage::Storage;
use crate::worker::Run;

/// The files that hold a table as it is, by node and table.
type Files = BTreeMap<(String, String), TableFile>;

/// Writes the state of one task.
pub(crate) struct Snapshots {
    pub(crate) task: TaskId,
    storage: Storage,
    generation: u64,
    listener: Listener,
    /// The last epoch of this run that is complete.
    complete: u64,
    files: Arc<Mutex<Files>>,
    writing: Option<JoinHandle<()>>,
    /// What it has stored when its data had ended.
    last: Option<TaskSnapshot>,
    /// The last epoch that it has stored its state for.
    passed: u64,
    /// Epochs whose commit it has not confirmed.
    owed: Vec<u64>,
}

impl Snapshots {
    pub(crate) fn new(
        task: TaskId,
        storage: Storage,
        generation: u64,
        listener: Listener,
    ) -> Snapshots {
        let files = Arc::default();
        Snapshots {
            task,
            storage,
            generation,
            listener,
            complete: 0,
            files,
            writing: None,
            last: None,
            passed: 0,
            owed: Vec::new(),
        }
    }

    pub(crate) fn say(&self, event: Event) {
        (self.listener)(event);
    }

    pub(crate) fn progress(&self, epoch: u64, step: Step) {
        self.say(Event::CheckpointProgress {
            task: self.task.clone(),
            epoch,
            step,
        });
    }

    /// This epoch is complete everywhere: its files are there to be referred to.
    pub(crate) fn complete(&mut self, epoch: u64) {
        self.complete = self.complete.max(epoch);
        if self.owed.iter().any(|owed| *owed <= epoch) {
            self.owed.retain(|owed| *owed > epoch);
            self.say(Event::Committed {
                task: self.task.clone(),
                epoch,
            });
        }
    }

    /// Gives the last state to the run, for the checkpoints to come.
    pub(crate) fn hand_over(&mut self, run: &Run) {
        if let Some(last) = self.last.take() {
            run.data_ended(last, self.passed, std::mem::take(&mut self.owed));
        }
    }

    /// The epoch whose files may be referred to.
    pub(crate) fn base(&self) -> u64 {
        self.complete
    }

    /// Writes the state, in a thread of its own when there are rows; says so when it is durable.
    pub(crate) fn write(
        &mut self,
        epoch: u64,
        states: Vec<(String, State)>,
        needs_commit: bool,
        wait: bool,
    ) {
        self.progress(epoch, Step::Writing);
        self.passed = epoch;
        if needs_commit {
            self.owed.push(epoch);
        }
        self.settle();
        let writer = Writer {
            task: self.task.clone(),
            storage: self.storage.clone(),
            at: (self.generation, epoch),
            files: self.files.clone(),
        };
        let (task, listener) = (self.task.clone(), self.listener.clone());
        let has_rows = states.iter().any(|(_, state)| !state.tables.is_empty());
        let work = move || match writer.write(states, needs_commit) {
            Ok(snapshot) => listener(Event::CheckpointCompleted { epoch, snapshot }),
            Err(failure) => listener(Event::CheckpointFailed {
                task,
                epoch,
                failure,
            }),
        };
        if wait || !has_rows {
            return work();
        }
        let name = format!("{} writes", self.task);
        // A thread that cannot be had is a checkpoint that never completes; the task goes on.
        self.writing = std::thread::Builder::new().name(name).spawn(work).ok();
    }

    /// Waits until the last state is written.
    fn settle(&mut self) {
        if let Some(writing) = self.writing.take() {
            _ = writing.join();
        }
    }

    /// Keeps the state at the end of data. An operator that has given everything out has no rows.
    pub(crate) fn last(&mut self, states: Vec<(String, State)>) {
        self.settle();
        let nodes = states.into_iter().map(|(node, state)| NodeSnapshot {
            node,
            watermark: state.watermark,
            tables: Vec::new(),
            value: state.value,
        });
        let nodes = nodes.collect();
        self.last = Some(TaskSnapshot {
            task: self.task.clone(),
            nodes,
            needs_commit: false,
        });
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        self.settle();
    }
}

struct Writer {
    task: TaskId,
    storage: Storage,
    at: (u64, u64),
    files: Arc<Mutex<Files>>,
}

impl Writer {
    fn write(
        &self,
        states: Vec<(String, State)>,
        needs_commit: bool,
    ) -> Result<TaskSnapshot, Failure> {
        let mut known = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Files::new();
        let mut nodes = Vec::new();
        for (node, state) in states {
            let mut tables = Vec::new();
            for (index, table) in state.tables.iter().enumerate() {
                let key = (node.clone(), table.name.clone());
                let file = match &table.rows {
                    None => known.get(&key).cloned().ok_or_else(|| lost(&table.name))?,
                    Some(rows) => self.table(&node, index, table, rows)?,
                };
                next.insert(key, file.clone());
                tables.push(file);
            }
            nodes.push(NodeSnapshot {
                node,
                watermark: state.watermark,
                tables,
                value: state.value,
            });
        }
        *known = next;
        Ok(TaskSnapshot {
            task: self.task.clone(),
            nodes,
            needs_commit,
        })
    }

    fn table(
        &self,
        node: &str,
        index: usize,
        table: &Table,
        rows: &crate::columns::Batch,
    ) -> Result<TableFile, Failure> {
        let name = format!("{node}-{:04}-{index:04}", self.task.subtask);
        self.storage
            .write_table(self.at, &name, table, rows)
            .map_err(|error| Failure::io("failed to write a checkpoint", &error))
    }
}

fn lost(table: &str) -> Failure {
    use crate::failure::{Domain, Hint};
    let message = format!("the file of the unchanged table {table} is not known");
    Failure::new(Domain::Internal, Hint::WithBackoff, message)
}

/// What a task takes over from a checkpoint.
pub(crate) struct Restored<'a> {
    pub(crate) storage: &'a Storage,
    pub(crate) manifest: &'a Manifest,
    pub(crate) subtask: u32,
    pub(crate) parallelism: u32,
}

impl Restored<'_> {
    /// The states that subtasks of `node` stored, each with those rows that this subtask owns.
    pub(crate) fn states(&self, node: &str) -> Result<Vec<State>, Halt> {
        let range = hash::range(self.subtask, self.parallelism);
        let mut states = Vec::new();
        for (index, stored) in self.manifest.node(node).into_iter().enumerate() {
            let mut tables = Vec::new();
            for file in &stored.tables {
                tables.extend(
                    self.storage
                        .read_table(file, range)
                        .map_err(Failure::from)?,
                );
            }
            states.push(State {
                watermark: stored.watermark,
                tables,
                value: stored.value.clone(),
                own: index as u32 % self.parallelism == self.subtask,
            });
        }
        Ok(states)
    }
}
