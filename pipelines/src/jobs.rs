//! All jobs: found on disk when the service starts, submitted, changed, forgotten.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pipelines::limits::JOBS_MAX;
use pipelines::{JobInfo, reason};
use rpc::{Code, Error};
use streaming::Job;
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::backend::Backend;
use crate::book::{Book, Writes};
use crate::config::Config;
use crate::executor::{Clock, Executor, Tools};
use crate::mail::{Input, Mail};
use crate::record::Record;

/// All jobs. Clones are the same.
#[derive(Clone)]
pub(crate) struct Jobs(Arc<Inner>);

struct Inner {
    config: Config,
    book: Book,
    backend: Backend,
    mail: Mail,
    clock: Clock,
    folder: PathBuf,
    /// Held by whoever changes a wish.
    known: Mutex<BTreeMap<String, Known>>,
}

struct Known {
    record: Record,
    view: watch::Receiver<JobInfo>,
}

type Guard<'a> = MutexGuard<'a, BTreeMap<String, Known>>;

fn unknown(name: &str, known: &Guard<'_>) -> Error {
    let error = Error::not_found(reason::UNKNOWN_JOB, format!("there is no job {name}"));
    let near = known
        .keys()
        .map(|other| (strsim::jaro_winkler(other, name), other))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((likeness, other)) if likeness > 0.8 => {
            error.with_hint(format!("did you mean {other}?"))
        }
        _ => error.with_hint("`orrery pipelines list` shows all of them"),
    }
}

fn seed() -> u64 {
    let mut bytes = [0_u8; 8];
    // Without randomness pauses are all alike, which is a pity and no fault.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

impl Jobs {
    /// Those on disk; they go on where they were.
    pub(crate) async fn open(
        config: Config,
        folder: PathBuf,
        book: Book,
        backend: Backend,
        mail: Mail,
    ) -> Result<Self, Error> {
        let jobs = Self(Arc::new(Inner {
            config,
            book,
            backend,
            mail,
            clock: Clock::start(),
            folder,
            known: Mutex::default(),
        }));
        let found = jobs.0.book.jobs().await?;
        let mut known = jobs.0.known.lock().await;
        for stored in found {
            let (settings, wish) = (jobs.0.config.job(), stored.record.wish.clone());
            let job = match stored.facts {
                Some(facts) => Job::resume(settings, seed(), wish, facts, stored.rows),
                None => Job::new(settings, seed(), wish),
            };
            jobs.run(&mut known, stored.record, job, stored.logged);
        }
        drop(known);
        Ok(jobs)
    }

    fn checkpoints(&self, job: &str) -> PathBuf {
        self.0.folder.join("checkpoints").join(job)
    }

    fn run(&self, known: &mut Guard<'_>, record: Record, job: Job, logged: u64) {
        let tools = Tools {
            book: self.0.book.clone(),
            backend: self.0.backend.clone(),
            clock: self.0.clock,
            checkpoints: self.checkpoints(&record.name),
        };
        let started = Executor::start(record.clone(), job, logged, tools);
        self.0.mail.put(&record.name, started.to);
        let view = started.view;
        known.insert(record.name.clone(), Known { record, view });
    }

    /// A new job, or the same one again.
    pub(crate) async fn submit(&self, record: Record) -> Result<JobInfo, Error> {
        let mut known = self.0.known.lock().await;
        if let Some(same) = known.get(&record.name) {
            if same.record.plan == record.plan {
                return Ok(same.view.borrow().clone());
            }
            let message = format!("{} has another plan", record.name);
            let hint = "take another name, or stop and delete this one first";
            let error = Error::new(Code::AlreadyExists, reason::JOB_EXISTS, message);
            return Err(error.with_hint(hint));
        }
        if known.len() >= JOBS_MAX {
            let message = format!("there are {JOBS_MAX} jobs; delete some that have ended");
            let code = Code::ResourceExhausted;
            return Err(Error::new(code, reason::TOO_MANY_JOBS, message));
        }
        let mut writes = Writes::default();
        writes.record(&record);
        self.0.book.write(writes).await?;
        let job = Job::new(self.0.config.job(), seed(), record.wish.clone());
        let name = record.name.clone();
        self.run(&mut known, record, job, 0);
        self.info(&known, &name)
    }

    fn info(&self, known: &Guard<'_>, name: &str) -> Result<JobInfo, Error> {
        let found = known.get(name).ok_or_else(|| unknown(name, known))?;
        let info = found.view.borrow().clone();
        Ok(info)
    }

    /// Changes what is wished of a job; returns when that is durable.
    pub(crate) async fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut Record, &JobInfo) -> Result<(), Error>,
    ) -> Result<JobInfo, Error> {
        let mut known = self.0.known.lock().await;
        let info = self.info(&known, name)?;
        let Some(found) = known.get_mut(name) else {
            return Ok(info);
        };
        let mut record = found.record.clone();
        change(&mut record, &info)?;
        if record == found.record {
            return Ok(info);
        }
        let mut writes = Writes::default();
        writes.record(&record);
        self.0.book.write(writes).await?;
        found.record = record.clone();
        let mut view = found.view.clone();
        view.mark_unchanged();
        let generation = info.generation;
        self.0.mail.send(name, Input::Wish(Box::new(record)));
        // The state that follows is shown rather than the one before, if it comes soon.
        let soon = std::time::Duration::from_millis(100);
        let moved = view.wait_for(|now| now.state != info.state || now.generation != generation);
        let _ = tokio::time::timeout(soon, moved).await;
        self.info(&known, name)
    }

    pub(crate) async fn show(&self, name: &str) -> Result<JobInfo, Error> {
        let known = self.0.known.lock().await;
        self.info(&known, name)
    }

    pub(crate) async fn list(&self) -> Vec<JobInfo> {
        let known = self.0.known.lock().await;
        known
            .values()
            .map(|one| one.view.borrow().clone())
            .collect()
    }

    /// Asks the job's executor.
    pub(crate) async fn ask<T>(
        &self,
        name: &str,
        question: impl FnOnce(tokio::sync::oneshot::Sender<T>) -> Input,
    ) -> Result<T, Error> {
        self.show(name).await?;
        let (to, answer) = tokio::sync::oneshot::channel();
        self.0.mail.send(name, question(to));
        let gone =
            |_| Error::not_found(reason::UNKNOWN_JOB, format!("{name} was deleted just now"));
        answer.await.map_err(gone)
    }

    pub(crate) fn book(&self) -> &Book {
        &self.0.book
    }

    /// Forgets a job that has ended, and all that it stored.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Error> {
        let mut known = self.0.known.lock().await;
        let Some(found) = known.get(name) else {
            return Ok(());
        };
        let state = found.view.borrow().state.clone();
        if !matches!(state.as_str(), "stopped" | "finished" | "failed") {
            let message = format!("{name} is {state}");
            let error = Error::new(Code::Conflict, reason::STILL_RUNS, message);
            return Err(error.with_hint(format!("orrery pipelines stop {name}")));
        }
        self.0.mail.send(name, Input::Forgotten);
        self.0.mail.remove(name);
        self.0.book.forget(name).await?;
        for folder in [
            self.checkpoints(name),
            self.0.folder.join("logs").join(name),
        ] {
            match std::fs::remove_dir_all(&folder) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(folder = %folder.display(), error = %e, "files stay behind");
                }
                _ => {}
            }
        }
        known.remove(name);
        Ok(())
    }
}
