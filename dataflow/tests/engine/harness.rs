//! A job on a few workers in this process, steered as a controller would.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use dataflow::events::Event;
use dataflow::failure::Failure;
use dataflow::manifest::{Manifest, TaskId};
use dataflow::plan::Plan;
use dataflow::storage::Storage;
use dataflow::worker::{Assignment, Execution, StopMode, Worker, channel};

const PATIENCE: Duration = Duration::from_secs(30);

/// Where the shared inputs lie.
pub(crate) fn streams() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join("shared");
    let root = std::env::var_os("ORRERY_SHARED").map_or(root, PathBuf::from);
    let found = [
        root.join("data/streams"),
        PathBuf::from("/work/shared/data/streams"),
    ];
    found
        .into_iter()
        .find(|path| path.is_dir())
        .expect("shared/data beside the repository")
}

/// A job and the workers it runs on.
pub(crate) struct Job {
    workers: Vec<Worker>,
    events: Receiver<Event>,
    pub(crate) generation: u64,
    pub(crate) checkpoints: PathBuf,
    tasks: BTreeSet<TaskId>,
    ended: BTreeSet<TaskId>,
    pub(crate) failures: Vec<Failure>,
    /// The end of a connection that says nothing.
    _silent: Option<std::net::TcpStream>,
}

impl Job {
    /// Starts `plan` on `workers` workers; tasks are spread over them by their subtask.
    pub(crate) fn start(
        plan: &Plan,
        workers: u32,
        generation: u64,
        folder: &Path,
        restore: Option<Manifest>,
    ) -> Job {
        let bind = |_| Worker::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let workers: Vec<Worker> = (0..workers).map(bind).collect();
        let addresses: BTreeMap<u32, _> =
            (0u32..).zip(workers.iter().map(Worker::address)).collect();
        let mut assignments = Vec::new();
        for stage in plan.graph().stages {
            for subtask in 0..stage.parallelism {
                let task = TaskId {
                    stage: stage.id.clone(),
                    subtask,
                };
                let worker = subtask % workers.len() as u32;
                assignments.push(Assignment { task, worker });
            }
        }
        let (listener, events) = channel();
        let checkpoints = folder.join("checkpoints");
        for (number, worker) in (0u32..).zip(&workers) {
            let execution = Execution {
                job: "job".into(),
                generation,
                plan: plan.clone(),
                assignments: assignments.clone(),
                workers: addresses.clone(),
                worker: number,
                token: "secret".into(),
                checkpoints: checkpoints.clone(),
                restore: restore.clone(),
            };
            worker.start(execution, Arc::clone(&listener)).unwrap();
        }
        let tasks = assignments.into_iter().map(|one| one.task).collect();
        let (ended, failures) = (BTreeSet::new(), Vec::new());
        Job {
            workers,
            events,
            generation,
            checkpoints,
            tasks,
            ended,
            failures,
            _silent: None,
        }
    }

    /// Starts one worker of two, the other of which answers nobody.
    pub(crate) fn start_without(plan: &Plan, absent: u32, folder: &Path) -> Job {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let worker = Worker::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addresses = BTreeMap::from([
            (0, worker.address()),
            (absent, silent.local_addr().unwrap()),
        ]);
        let (mut assignments, mut tasks) = (Vec::new(), BTreeSet::new());
        for stage in plan.graph().stages {
            for subtask in 0..stage.parallelism {
                let stage = stage.id.clone();
                let task = TaskId { stage, subtask };
                let worker = if subtask == 0 { 0 } else { absent };
                if subtask == 0 {
                    tasks.insert(task.clone());
                }
                assignments.push(Assignment { task, worker });
            }
        }
        let (listener, events) = channel();
        let checkpoints = folder.join("checkpoints");
        let execution = Execution {
            job: "job".into(),
            generation: 1,
            plan: plan.clone(),
            assignments,
            workers: addresses,
            worker: 0,
            token: "secret".into(),
            checkpoints: checkpoints.clone(),
            restore: None,
        };
        worker.start(execution, listener).unwrap();
        // It has dialled and waits for an answer, as long as the connection is open.
        let silent = silent.accept().unwrap().0;
        Job {
            workers: vec![worker],
            events,
            generation: 1,
            checkpoints,
            tasks,
            ended: BTreeSet::new(),
            failures: Vec::new(),
            _silent: Some(silent),
        }
    }

    /// Waits for the first failure, then ends the others.
    pub(crate) fn first_failure(mut self) -> Failure {
        let until = Instant::now() + PATIENCE;
        while self.failures.is_empty() {
            self.next(until).expect("a failure in time");
        }
        let failure = self.failures[0].clone();
        self.kill();
        failure
    }

    fn next(&mut self, until: Instant) -> Option<Event> {
        let left = until.saturating_duration_since(Instant::now());
        let event = match self.events.recv_timeout(left) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => panic!("the workers are gone"),
        };
        match &event {
            Event::Finished { task } => _ = self.ended.insert(task.clone()),
            Event::Failed { task, failure } => {
                self.ended.insert(task.clone());
                self.failures.push(failure.clone());
            }
            _ => {}
        }
        Some(event)
    }

    /// Waits until every task has ended; gives the failures.
    pub(crate) fn wait(mut self) -> Vec<Failure> {
        let until = Instant::now() + PATIENCE;
        while self.ended != self.tasks {
            if self.next(until).is_none() {
                let open: Vec<_> = self.tasks.difference(&self.ended).collect();
                panic!("still running: {open:?}; metrics {:?}", self.metrics());
            }
        }
        std::mem::take(&mut self.failures)
    }

    /// Lets each source read so many rows.
    pub(crate) fn step(&self, rows: u64) {
        self.workers
            .iter()
            .for_each(|worker| worker.step(self.generation, rows).unwrap());
    }

    /// Lets each source read so many rows, and waits until they have.
    pub(crate) fn read(&self, rows: u64) {
        let read = || -> u64 {
            let metrics = self.metrics();
            let sources = metrics.iter().filter(|of| of.task.stage.starts_with("in"));
            sources.map(|of| of.rows_in + of.bad_rows).sum()
        };
        let sources = self
            .tasks
            .iter()
            .filter(|task| task.stage.starts_with("in"));
        let goal = read() + rows * sources.count() as u64;
        self.step(rows);
        let until = Instant::now() + PATIENCE;
        while read() < goal {
            assert!(Instant::now() < until, "{} of {goal} rows are read", read());
            std::thread::sleep(Duration::from_millis(1)); // why: a counter tells nobody; bounded
        }
    }

    /// Takes a checkpoint; does not commit it.
    pub(crate) fn checkpoint(&mut self, epoch: u64, then_stop: bool) -> Result<Manifest, Failure> {
        for worker in &self.workers {
            worker
                .checkpoint(self.generation, epoch, then_stop)
                .unwrap();
        }
        let mut manifest = Manifest {
            epoch,
            generation: self.generation,
            tasks: Vec::new(),
        };
        let until = Instant::now() + PATIENCE;
        while manifest.tasks.len() < self.tasks.len() {
            match self.next(until) {
                Some(Event::CheckpointCompleted {
                    epoch: of,
                    snapshot,
                }) if of == epoch => {
                    manifest.tasks.push(snapshot);
                }
                Some(Event::CheckpointFailed {
                    epoch: of, failure, ..
                }) if of == epoch => {
                    return Err(failure);
                }
                Some(Event::Failed { task, failure }) => panic!("{task} failed: {failure}"),
                Some(_) => {}
                None => panic!("the checkpoint does not end; metrics {:?}", self.metrics()),
            }
        }
        let storage = Storage::new(&self.checkpoints);
        storage.write_manifest(&manifest).unwrap();
        assert_eq!(
            storage.read_manifest(self.generation, epoch).unwrap(),
            manifest
        );
        Ok(manifest)
    }

    /// Commits an epoch, and waits until whoever had something to commit has.
    pub(crate) fn commit(&mut self, manifest: &Manifest) {
        for worker in &self.workers {
            worker.commit(self.generation, manifest.epoch).unwrap();
        }
        let owing = manifest.tasks.iter().filter(|task| task.needs_commit);
        let mut owing: BTreeSet<TaskId> = owing.map(|task| task.task.clone()).collect();
        let until = Instant::now() + PATIENCE;
        while !owing.is_empty() {
            match self
                .next(until)
                .unwrap_or_else(|| panic!("{owing:?} do not commit"))
            {
                Event::Committed { task, epoch } if epoch == manifest.epoch => {
                    owing.remove(&task);
                }
                _ => {}
            }
        }
    }

    /// Tells all workers of a commit and waits for nothing.
    pub(crate) fn commit_blindly(&self, epoch: u64) {
        self.workers
            .iter()
            .for_each(|worker| worker.commit(self.generation, epoch).unwrap());
    }

    pub(crate) fn stop(&self, mode: StopMode) {
        self.workers
            .iter()
            .for_each(|worker| worker.stop(self.generation, mode).unwrap());
    }

    /// As if every worker had died: nothing is finished or told.
    pub(crate) fn kill(self) {
        self.stop(StopMode::Immediate);
        self.wait();
    }

    pub(crate) fn metrics(&self) -> Vec<dataflow::events::TaskMetrics> {
        self.workers.iter().flat_map(Worker::metrics).collect()
    }
}

/// All lines that a file sink has shown, sorted.
pub(crate) fn shown(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with('.') {
            let text = std::fs::read_to_string(path).unwrap();
            lines.extend(text.lines().map(String::from));
        }
    }
    lines.sort();
    lines
}
