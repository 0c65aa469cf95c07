//! A worker: the tasks of one job on one machine, and its connections to the others.
//!
//! Whoever controls it calls [`Worker::start`], [`Worker::checkpoint`], [`Worker::commit`] and
//! [`Worker::stop`]; what happens comes back as [`Event`]s. Every call names the generation of the
//! run that it means, and one that means another run is refused. No call waits for a task.

mod launch;
mod run;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::events::{Event, Listener, TaskMetrics};
use crate::exchange::{self, Hello};
use crate::manifest::{Manifest, TaskId};
use crate::plan::{Plan, PlanError};
pub(crate) use run::Run;

/// How long a connection waits for the run that it belongs to.
const RUN_AWAITED: Duration = Duration::from_secs(10);

/// What a worker is to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// The job's name; part of the names of its files.
    pub job: String,
    /// Which attempt at running it; greater than any before.
    pub generation: u64,
    /// What is computed, with the parallelism of each node.
    pub plan: Plan,
    /// Where each task of the plan's graph runs.
    pub assignments: Vec<Assignment>,
    /// Where the workers take rows.
    pub workers: BTreeMap<u32, SocketAddr>,
    /// Which of them this one is.
    pub worker: u32,
    /// What the workers of this run know and nobody else.
    pub token: String,
    /// The folder of its checkpoints, the same for all workers.
    pub checkpoints: PathBuf,
    /// From where it goes on.
    pub restore: Option<Manifest>,
}

/// Where a task runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Which task.
    pub task: TaskId,
    /// The worker's number.
    pub worker: u32,
}

/// How a run is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopMode {
    /// Sources end, and what is under way is worked off; open windows are not given out.
    Graceful,
    /// Every task ends now.
    Immediate,
}

/// Why a worker does not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The plan cannot run.
    #[error("the plan cannot run")]
    Plan(#[from] PlanError),
    /// Tasks of an earlier run have not ended.
    #[error("generation {0} still runs")]
    Busy(u64),
    /// The call means another run than the one that is here.
    #[error("generation {asked} does not run here; {running:?} does")]
    Generation {
        /// Which was meant.
        asked: u64,
        /// Which is here.
        running: Option<u64>,
    },
    /// The assignments do not fit the plan.
    #[error("the assignments do not fit the plan: {0}")]
    Assignments(String),
}

/// See the module.
pub struct Worker {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    run: Mutex<Option<Arc<Run>>>,
    started: Condvar,
}

impl Worker {
    /// A worker that takes rows of others at this address; with port 0, at any free one.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn bind(address: SocketAddr) -> io::Result<Worker> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let weak = Arc::downgrade(&shared);
        thread::Builder::new()
            .name("exchange".into())
            .spawn(move || accept(&listener, &weak))?;
        Ok(Worker { address, shared })
    }

    /// Where it takes rows.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the tasks that are assigned to this worker; each says when it has started.
    ///
    /// # Errors
    /// A plan that cannot run, assignments that do not fit it, or tasks that still run.
    pub fn start(&self, execution: Execution, listener: Listener) -> Result<(), Refusal> {
        let mut current = self
            .shared
            .run
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = current.as_ref().filter(|run| !run.is_over()) {
            return Err(Refusal::Busy(run.generation));
        }
        let run = launch::prepare(execution, listener)?;
        *current = Some(run.clone());
        drop(current);
        self.shared.started.notify_all();
        launch::launch(run);
        Ok(())
    }

    fn run(&self, generation: u64) -> Result<Arc<Run>, Refusal> {
        let run = self
            .shared
            .run
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let running = run.as_ref().map(|run| run.generation);
        let found = run.as_ref().filter(|run| run.generation == generation);
        found.cloned().ok_or(Refusal::Generation {
            asked: generation,
            running,
        })
    }

    /// Lets sources give out the barrier that ends `epoch`; with `then_stop` each task ends when
    /// its state is stored (and what it wrote is committed).
    ///
    /// # Errors
    /// Another generation runs.
    pub fn checkpoint(&self, generation: u64, epoch: u64, then_stop: bool) -> Result<(), Refusal> {
        self.run(generation)?.checkpoint(epoch, then_stop);
        Ok(())
    }

    /// The epoch is complete everywhere: what was written in it may be seen, and later checkpoints
    /// may refer to its files. To be told to all workers after every checkpoint; may be repeated.
    ///
    /// # Errors
    /// Another generation runs.
    pub fn commit(&self, generation: u64, epoch: u64) -> Result<(), Refusal> {
        self.run(generation)?.commit(epoch);
        Ok(())
    }

    /// Stops all tasks.
    ///
    /// # Errors
    /// Another generation runs.
    pub fn stop(&self, generation: u64, mode: StopMode) -> Result<(), Refusal> {
        self.run(generation)?.stop(mode);
        Ok(())
    }

    /// Lets each source in stepping mode read so many rows: for tests.
    ///
    /// # Errors
    /// Another generation runs.
    pub fn step(&self, generation: u64, rows: u64) -> Result<(), Refusal> {
        self.run(generation)?.step(rows);
        Ok(())
    }

    /// What its tasks have counted.
    pub fn metrics(&self) -> Vec<TaskMetrics> {
        let run = self
            .shared
            .run
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        run.map_or_else(Vec::new, |run| run.metrics())
    }

    /// Whether no task runs.
    pub fn is_idle(&self) -> bool {
        let run = self
            .shared
            .run
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        run.as_ref().is_none_or(|run| run.is_over())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let run = self
            .shared
            .run
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(run) = run {
            run.stop(StopMode::Immediate);
        }
        // The thread that accepts waits for a connection; this is one.
        self.shared = Arc::default();
        _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
    }
}

impl Shared {
    /// The run that these words belong to, if it is here soon enough.
    fn find(&self, hello: &Hello) -> Option<Arc<Run>> {
        let until = Instant::now() + RUN_AWAITED;
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match run.as_ref().filter(|run| run.job == hello.job) {
                Some(run) if run.generation > hello.generation => return None,
                Some(run) if run.generation == hello.generation => {
                    return (run.token == hello.token).then(|| run.clone());
                }
                _ => {}
            }
            let left = until.checked_duration_since(Instant::now())?;
            run = self
                .started
                .wait_timeout(run, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

fn accept(listener: &TcpListener, shared: &Weak<Shared>) {
    for stream in listener.incoming() {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let Ok(stream) = stream else { continue };
        let serve = move || {
            let found = exchange::serve(stream, |hello, stream| {
                let run = shared.find(hello)?;
                run.accepted(stream);
                Some(run)
            });
            if let Err((Some(run), lost)) = found {
                run.lost(&lost);
            }
        };
        // Without a thread the connection closes, and its sender tries again.
        _ = thread::Builder::new().name("exchange".into()).spawn(serve);
    }
}

/// A listener that sends what it hears into a channel.
pub fn channel() -> (Listener, std::sync::mpsc::Receiver<Event>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    (Arc::new(move |event| _ = sender.send(event)), receiver)
}
