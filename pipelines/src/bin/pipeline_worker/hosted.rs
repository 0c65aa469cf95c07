//! The engine, as the service calls it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataflow::events::Event;
use dataflow::manifest::TaskId;
use dataflow::worker::{Execution, Refusal, StopMode, Worker};
use parking_lot::Mutex;
use pipelines::reason;
use pipelines::workers::{
    BarrierArgs, CommitArgs, Counted, EndArgs, Meant, PipelineWorker, Said, StartArgs, TaskWord,
    Word,
};
use rpc::{Code, Context, Empty, Error, StreamSender};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How often it reports.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The engine and what is known of its tasks. Clones are the same.
#[derive(Clone)]
pub(crate) struct Hosted(Arc<Inner>);

struct Inner {
    engine: Worker,
    secret: String,
    known: Arc<Mutex<Known>>,
}

struct Known {
    tasks: BTreeMap<TaskId, TaskWord>,
    /// The newest epoch that each task has committed, to be said again when it is asked again.
    committed: BTreeMap<TaskId, u64>,
    listener: Option<UnboundedSender<Word>>,
    listened_at: Instant,
}

impl Known {
    fn hear(&mut self, event: Event) {
        match &event {
            Event::Started { task } => _ = self.tasks.insert(task.clone(), TaskWord::Started),
            Event::Finished { task } => _ = self.tasks.insert(task.clone(), TaskWord::Finished),
            Event::Failed { task, failure } => {
                let word = TaskWord::Failed(failure.clone());
                self.tasks.insert(task.clone(), word);
            }
            Event::Committed { task, epoch } => {
                self.committed.insert(task.clone(), *epoch);
            }
            // Nobody acts on it, and there are many.
            Event::CheckpointProgress { .. } => return,
            Event::CheckpointCompleted { .. } | Event::CheckpointFailed { .. } => {}
        }
        self.say(Word::Event(event));
    }

    fn say(&self, word: Word) {
        // Without a listener the next report says what counts.
        let _ = self.listener.as_ref().map(|listener| listener.send(word));
    }

    fn report(&self) -> Word {
        Word::Report(self.tasks.clone().into_iter().collect())
    }
}

fn refused(refusal: &Refusal) -> Error {
    let message = refusal.to_string();
    match refusal {
        Refusal::Plan(_) | Refusal::Assignments(_) => {
            Error::new(Code::Conflict, reason::CANNOT_SET_UP, message)
        }
        Refusal::Busy(_) | Refusal::Generation { .. } => {
            Error::new(Code::Conflict, reason::OTHER_GENERATION, message)
        }
    }
}

impl Hosted {
    pub(crate) fn new(engine: Worker, secret: String) -> Self {
        let known = Known {
            tasks: BTreeMap::new(),
            committed: BTreeMap::new(),
            listener: None,
            listened_at: Instant::now(),
        };
        let known = Arc::new(Mutex::new(known));
        Self(Arc::new(Inner {
            engine,
            secret,
            known,
        }))
    }

    /// Waits until nobody has listened for so long.
    pub(crate) async fn abandoned(&self, patience: Duration) {
        while self.0.known.lock().listened_at.elapsed() < patience {
            tokio::time::sleep(HEARTBEAT).await;
        }
    }

    fn check(&self, meant: &Meant) -> Result<u64, Error> {
        if meant.secret != self.0.secret {
            let message = "this worker has another secret";
            return Err(Error::new(
                Code::PermissionDenied,
                reason::NOT_YOURS,
                message,
            ));
        }
        Ok(meant.generation)
    }

    fn listen_to(&self) -> UnboundedReceiver<Word> {
        let (sender, receiver) = unbounded_channel();
        let mut known = self.0.known.lock();
        let _ = sender.send(known.report());
        known.listener = Some(sender);
        known.listened_at = Instant::now();
        receiver
    }
}

fn said(word: &Word) -> Result<Said, Error> {
    let word = serde_json::to_string(word);
    let word = word.map_err(|e| Error::internal("json", e.to_string()))?;
    Ok(Said { word })
}

impl PipelineWorker for Hosted {
    async fn start(&self, _: &Context, args: StartArgs) -> Result<Empty, Error> {
        self.check(&args.meant)?;
        let execution: Execution = serde_json::from_str(&args.execution)
            .map_err(|e| Error::invalid(reason::CANNOT_SET_UP, e.to_string()))?;
        let own = execution.assignments.iter();
        let own = own.filter(|one| one.worker == execution.worker);
        let own = own.map(|one| (one.task.clone(), TaskWord::Pending));
        self.0.known.lock().tasks = own.collect();
        let known = Arc::clone(&self.0.known);
        let listener = Arc::new(move |event| known.lock().hear(event));
        let started = self.0.engine.start(execution, listener);
        started.map_err(|refusal| refused(&refusal))?;
        Ok(Empty {})
    }

    async fn listen(&self, _: &Context, args: Meant, out: StreamSender<Said>) -> Result<(), Error> {
        self.check(&args)?;
        let mut words = self.listen_to();
        let mut beat = tokio::time::interval(HEARTBEAT);
        loop {
            let word = tokio::select! {
                word = words.recv() => match word {
                    Some(word) => word,
                    // Somebody else listens now.
                    None => return Ok(()),
                },
                _ = beat.tick() => self.0.known.lock().report(),
            };
            out.send(&said(&word)?).await?;
            self.0.known.lock().listened_at = Instant::now();
        }
    }

    async fn barrier(&self, _: &Context, args: BarrierArgs) -> Result<Empty, Error> {
        let generation = self.check(&args.meant)?;
        let engine = &self.0.engine;
        let sent = engine.checkpoint(generation, args.epoch, args.then_stop);
        sent.map_err(|refusal| refused(&refusal))?;
        Ok(Empty {})
    }

    async fn commit(&self, _: &Context, args: CommitArgs) -> Result<Empty, Error> {
        let generation = self.check(&args.meant)?;
        let sent = self.0.engine.commit(generation, args.epoch);
        sent.map_err(|refusal| refused(&refusal))?;
        let known = self.0.known.lock();
        for (task, epoch) in known.committed.iter().filter(|(_, e)| **e >= args.epoch) {
            known.say(Word::Event(Event::Committed {
                task: task.clone(),
                epoch: *epoch,
            }));
        }
        Ok(Empty {})
    }

    async fn end(&self, _: &Context, args: EndArgs) -> Result<Empty, Error> {
        let generation = self.check(&args.meant)?;
        let mode = match args.graceful {
            true => StopMode::Graceful,
            false => StopMode::Immediate,
        };
        let stopped = self.0.engine.stop(generation, mode);
        stopped.map_err(|refusal| refused(&refusal))?;
        Ok(Empty {})
    }

    async fn count(&self, _: &Context, args: Meant) -> Result<Counted, Error> {
        self.check(&args)?;
        let tasks = serde_json::to_string(&self.0.engine.metrics());
        let tasks = tasks.map_err(|e| Error::internal("json", e.to_string()))?;
        Ok(Counted { tasks })
    }
}
