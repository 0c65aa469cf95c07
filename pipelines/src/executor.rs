//! One job's hands: what its state machine asks for is done here, what happens is told to it.
//!
//! All writes of a step, and what it logs, are one transaction of the store; only when that is
//! durable is anything else of the step begun.

mod effects;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dataflow::events::{Event as Said, TaskMetrics};
use dataflow::manifest::{Manifest, TaskSnapshot};
use pipelines::workers::Word;
use pipelines::{JobInfo, MetricsReply, TaskNumbers, WhyReply};
use rpc::Error;
use streaming::{Action, CheckpointId, Event, Generation, Job, WorkerId};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::book::{Book, Writes};
use crate::info;
use crate::link::Link;
use crate::mail::Input;
use crate::record::Record;
use crate::words::Stages;

/// What an executor works with.
pub(crate) struct Tools {
    pub(crate) book: Book,
    pub(crate) backend: Backend,
    pub(crate) clock: Clock,
    /// The folder of the job's checkpoints.
    pub(crate) checkpoints: PathBuf,
}

/// Milliseconds since 1970 that only go forward: what was read when the service started, and what
/// has passed since on the monotonic clock.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    base_ms: u64,
    since: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let base = SystemTime::now().duration_since(UNIX_EPOCH);
        let base = base.unwrap_or_default().as_millis();
        Self {
            base_ms: u64::try_from(base).unwrap_or(u64::MAX),
            since: Instant::now(),
        }
    }

    fn now_ms(self) -> u64 {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.base_ms.saturating_add(passed)
    }

    fn at(self, at_ms: u64) -> Instant {
        self.since + Duration::from_millis(at_ms.saturating_sub(self.base_ms))
    }
}

/// See the module.
pub(crate) struct Executor {
    record: Record,
    job: Job,
    tools: Tools,
    own: UnboundedSender<Input>,
    stages: Stages,
    links: BTreeMap<WorkerId, Link>,
    linked: Generation,
    /// What tasks have stored, by epoch of this generation.
    parts: BTreeMap<u64, Vec<TaskSnapshot>>,
    /// The checkpoint that was read last.
    restored: Option<(CheckpointId, Manifest)>,
    wake: Option<Instant>,
    /// The number of the newest entry of the log.
    logged: u64,
    view: watch::Sender<JobInfo>,
}

/// A job that is being executed, from outside.
pub(crate) struct Started {
    pub(crate) to: UnboundedSender<Input>,
    pub(crate) view: watch::Receiver<JobInfo>,
}

impl Executor {
    /// Lets a job run, until it is forgotten.
    pub(crate) fn start(record: Record, job: Job, logged: u64, tools: Tools) -> Started {
        let (own, inputs) = unbounded_channel();
        let (view, seen) = watch::channel(JobInfo::default());
        let executor = Self {
            stages: Stages::of(&job.facts().applied.program),
            linked: job.facts().generation,
            record,
            job,
            tools,
            own: own.clone(),
            links: BTreeMap::new(),
            parts: BTreeMap::new(),
            restored: None,
            wake: Some(Instant::now()),
            logged,
            view,
        };
        executor.show();
        tokio::spawn(executor.run(inputs));
        Started {
            to: own,
            view: seen,
        }
    }

    async fn run(mut self, mut inputs: UnboundedReceiver<Input>) {
        loop {
            let wake = self.wake.map(tokio::time::Instant::from_std);
            let input = tokio::select! {
                input = inputs.recv() => input,
                () = sleep_until(wake) => {
                    self.wake = None;
                    Some(Input::Event(Event::Wake))
                }
            };
            let Some(input) = input else { return };
            let done = match input {
                Input::Event(event) => self.step(event).await,
                Input::Word {
                    generation,
                    worker,
                    word,
                } => self.word(generation, worker, word).await,
                Input::Wish(record) => {
                    self.record = *record;
                    let wish = Box::new(self.record.wish.clone());
                    self.step(Event::Wish(wish)).await
                }
                Input::Why(to) => self.why(to).await,
                Input::Count(to) => {
                    self.count(to);
                    Ok(())
                }
                Input::Forgotten => return,
            };
            if let Err(error) = done {
                // The store has failed for good, and the process ends with it.
                tracing::error!(job = self.record.name, %error, "the job stands still");
                return;
            }
        }
    }

    async fn word(
        &mut self,
        generation: Generation,
        worker: WorkerId,
        word: Word,
    ) -> Result<(), Error> {
        if generation == self.linked
            && let Word::Event(Said::CheckpointCompleted { epoch, snapshot }) = &word
        {
            let parts = self.parts.entry(*epoch).or_default();
            parts.retain(|part| part.task != snapshot.task);
            parts.push(snapshot.clone());
        }
        let Some(message) = self.stages.message(word) else {
            return Ok(());
        };
        let event = Event::Worker {
            generation,
            worker,
            message,
        };
        self.step(event).await
    }

    async fn step(&mut self, event: Event) -> Result<(), Error> {
        let now = self.tools.clock.now_ms();
        let actions = self.job.step(now, event);
        let name = self.record.name.clone();
        let mut writes = Writes::default();
        for action in &actions {
            match action {
                Action::Save(facts) => writes.facts(&name, facts),
                Action::SaveRow(row) => writes.row(&name, row),
                Action::Forget(id) => writes.forget_row(&name, id.epoch.0),
                Action::Log(entry) => {
                    self.logged += 1;
                    let text = entry.to_string();
                    tracing::info!(job = name, "{text}");
                    writes.log(&name, self.logged, now, text);
                }
                _ => {}
            }
        }
        let generation = self.job.facts().generation;
        if generation != self.linked {
            self.linked = generation;
            self.stages = Stages::of(&self.job.facts().applied.program);
            self.links.clear();
            self.parts.clear();
        }
        if !writes.is_empty() {
            self.tools.book.write(writes).await?;
            self.show();
        }
        for action in actions {
            self.perform(action);
        }
        Ok(())
    }

    fn show(&self) {
        let backend = &self.tools.backend;
        let info = info::job(&self.record, &self.job, |id| backend.worker(id));
        self.view.send_replace(info);
    }

    async fn why(&mut self, to: oneshot::Sender<WhyReply>) -> Result<(), Error> {
        // Nothing follows from it but that the times that are left are those of now.
        self.step(Event::Wake).await?;
        let mut sentences = self.job.why();
        if crate::record::forgets(&self.record.plan) {
            sentences
                .push("it reads TCP: what is read between a checkpoint and a crash is lost".into());
        }
        let _ = to.send(WhyReply { sentences });
        Ok(())
    }

    fn count(&self, to: oneshot::Sender<MetricsReply>) {
        let mut counts: JoinSet<Vec<TaskMetrics>> = JoinSet::new();
        for link in self.links.values() {
            counts.spawn(link.count());
        }
        tokio::spawn(async move {
            let counted = counts.join_all().await.into_iter().flatten();
            let mut tasks: Vec<TaskNumbers> = counted.map(info::numbers).collect();
            tasks.sort_by(|a, b| a.task.cmp(&b.task));
            let _ = to.send(MetricsReply { tasks });
        });
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
