//! How whatever happens reaches the job that it concerns.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pipelines::workers::Word;
use pipelines::{MetricsReply, WhyReply};
use streaming::{Event, Generation, WorkerId};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::record::Record;

/// What a job's executor is told.
pub(crate) enum Input {
    /// An event, as the state machine takes it.
    Event(Event),
    /// A worker said something.
    Word {
        generation: Generation,
        worker: WorkerId,
        word: Word,
    },
    /// The operator wants something else; it is durable already.
    Wish(Box<Record>),
    /// Somebody asks why.
    Why(oneshot::Sender<WhyReply>),
    /// Somebody asks what the tasks count.
    Count(oneshot::Sender<MetricsReply>),
    /// The job was forgotten.
    Forgotten,
}

/// The jobs' mailboxes. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Mail(Arc<Mutex<BTreeMap<String, UnboundedSender<Input>>>>);

impl Mail {
    /// The mailbox of a job.
    pub(crate) fn put(&self, job: &str, to: UnboundedSender<Input>) {
        self.0.lock().insert(job.to_owned(), to);
    }

    /// A job has no mailbox any more.
    pub(crate) fn remove(&self, job: &str) {
        self.0.lock().remove(job);
    }

    /// Whether there was a mailbox to take it.
    pub(crate) fn send(&self, job: &str, input: Input) -> bool {
        let to = self.0.lock().get(job).cloned();
        to.is_some_and(|to| to.send(input).is_ok())
    }
}
