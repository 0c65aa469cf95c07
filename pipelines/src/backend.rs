//! Worker processes on this machine: started, found again after a crash of this service, and
//! killed. A worker is identified by boot, pid and start time, and signalled by pidfd, so that
//! nothing else is ever hit.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use model::ProcessIdentity;
use parking_lot::Mutex;
use pipelines::reason;
use pipelines::workers::{ConnectArgs, Registry, RegistryDispatch, env};
use rpc::{Code, Context, Empty, Error};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use streaming::{Event, Generation, Message, Slots, WorkerId};
use supervision::identity;
use tokio::process::Command;

use crate::book::{Book, Writes};
use crate::config::Config;
use crate::mail::{Input, Mail};

/// How often it is looked whether a killed process has gone.
const POLL: Duration = Duration::from_millis(2);
/// The name of this machine.
const NODE: &str = "local";

/// A worker that has connected, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WorkerRecord {
    pub(crate) job: String,
    pub(crate) generation: u64,
    pub(crate) slots: u32,
    pub(crate) secret: String,
    pub(crate) process: ProcessIdentity,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) data_address: Option<SocketAddr>,
}

/// The workers of this machine. Clones are the same.
#[derive(Clone)]
pub(crate) struct Backend(Arc<Inner>);

struct Inner {
    config: Config,
    logs: PathBuf,
    book: Book,
    mail: Mail,
    registry: std::sync::OnceLock<SocketAddr>,
    workers: Mutex<BTreeMap<u64, WorkerRecord>>,
    next: Mutex<u64>,
}

/// 256 random bits as text.
pub(crate) fn secret() -> io::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Backend {
    /// With the workers that an earlier run of this service left.
    pub(crate) async fn open(
        config: Config,
        logs: PathBuf,
        book: Book,
        mail: Mail,
    ) -> Result<Self, Error> {
        let (workers, next) = book.workers().await?;
        let backend = Self(Arc::new(Inner {
            config,
            logs,
            book,
            mail,
            registry: std::sync::OnceLock::new(),
            workers: Mutex::new(workers),
            next: Mutex::new(next),
        }));
        let server = rpc::Server::new("pipelines-registry", env!("CARGO_PKG_VERSION"));
        let server = server.service(RegistryDispatch::new(backend.clone()));
        let running = server.listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let _ = backend.0.registry.set(running.address());
        // It serves for as long as this process lives.
        std::mem::forget(running);
        Ok(backend)
    }

    /// A worker that has connected.
    pub(crate) fn worker(&self, id: WorkerId) -> Option<WorkerRecord> {
        let workers = self.0.workers.lock();
        let found = workers.get(&id.0);
        found.filter(|worker| worker.address.is_some()).cloned()
    }

    /// Starts workers with so many slots, unless it has done so for this generation already.
    pub(crate) fn start(
        &self,
        job: &str,
        generation: Generation,
        slots: u32,
        env: &BTreeMap<String, String>,
    ) -> Slots {
        let workers = self.0.workers.lock();
        let own = |w: &&WorkerRecord| w.job == job && w.generation == generation.0;
        if workers.values().any(|worker| own(&worker)) {
            return Slots::Starting;
        }
        let used: u32 = workers.values().map(|worker| worker.slots).sum();
        drop(workers);
        let free = self.0.config.slots.saturating_sub(used);
        if free < slots {
            return Slots::TooFew {
                missing: slots - free,
            };
        }
        let mut missing = slots;
        while missing > 0 {
            let own = missing.min(self.0.config.worker_slots.max(1));
            missing -= own;
            match self.spawn(job, generation, own, env) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let program = self.program();
                    return Slots::Refused(format!("{}: {error}", program.display()));
                }
                Err(error) => return Slots::Failed(error.to_string()),
            }
        }
        Slots::Starting
    }

    fn program(&self) -> PathBuf {
        let beside = || {
            let own = std::env::current_exe().unwrap_or_default();
            own.with_file_name("pipeline-worker")
        };
        self.0.config.worker.clone().unwrap_or_else(beside)
    }

    fn spawn(
        &self,
        job: &str,
        generation: Generation,
        slots: u32,
        env: &BTreeMap<String, String>,
    ) -> io::Result<()> {
        let id = {
            let mut next = self.0.next.lock();
            *next += 1;
            *next - 1
        };
        let registry = self.0.registry.get().copied();
        let registry = registry.ok_or_else(|| io::Error::other("no registry"))?;
        let folder = self.0.logs.join(job);
        fs::create_dir_all(&folder)?;
        let log = File::create(folder.join(format!("{id}.log")))?;
        let secret = secret()?;
        let mut command = Command::new(self.program());
        command
            .envs(env)
            .env(env::REGISTRY, registry.to_string())
            .env(env::WORKER, id.to_string())
            .env(env::SECRET, &secret)
            .env(
                env::ORPHAN_SECONDS,
                self.0.config.orphan_seconds.to_string(),
            )
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        let mut child = command.spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("it has ended"))?;
        let Some(process) = identity::of(pid)? else {
            return Err(io::Error::other("it has ended"));
        };
        let worker = WorkerRecord {
            job: job.to_owned(),
            generation: generation.0,
            slots,
            secret,
            process,
            address: None,
            data_address: None,
        };
        self.0.workers.lock().insert(id, worker);
        let (backend, job) = (self.clone(), job.to_owned());
        tokio::spawn(async move {
            let status = child.wait().await;
            let words = status.map_or_else(|e| e.to_string(), |status| status.to_string());
            let known = backend.0.workers.lock().contains_key(&id);
            if known {
                let message = Message::Lost(format!("its process ended ({words})"));
                backend.tell(&job, generation, id, message);
            }
        });
        Ok(())
    }

    fn tell(&self, job: &str, generation: Generation, id: u64, message: Message) {
        let worker = WorkerId(id);
        let event = Event::Worker {
            generation,
            worker,
            message,
        };
        self.0.mail.send(job, Input::Event(event));
    }

    /// Kills all workers of a job up to this generation, and waits until they are gone.
    pub(crate) async fn stop(&self, job: &str, generation: Generation) -> Result<(), Error> {
        let old = |w: &WorkerRecord| w.job == job && w.generation <= generation.0;
        let mut writes = Writes::default();
        let doomed: Vec<(u64, WorkerRecord)> = {
            let mut workers = self.0.workers.lock();
            let ids: Vec<u64> = workers
                .iter()
                .filter(|(_, w)| old(w))
                .map(|(id, _)| *id)
                .collect();
            let doomed = ids.into_iter();
            doomed
                .filter_map(|id| Some((id, workers.remove(&id)?)))
                .collect()
        };
        for (_, worker) in &doomed {
            kill(&worker.process);
        }
        for (id, worker) in &doomed {
            while identity::is_alive(&worker.process).unwrap_or(false) {
                tokio::time::sleep(POLL).await;
            }
            if worker.address.is_some() {
                writes.forget_worker(*id);
            }
        }
        if writes.is_empty() {
            return Ok(());
        }
        self.0.book.write(writes).await
    }
}

/// Kills this very process, if it is there.
fn kill(process: &ProcessIdentity) {
    let Some(fd) = open(process) else { return };
    if identity::is_alive(process).unwrap_or(false) {
        _ = pidfd_send_signal(fd, Signal::KILL);
    }
}

fn open(process: &ProcessIdentity) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(process.pid).ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

impl Registry for Backend {
    async fn connect(&self, _: &Context, args: ConnectArgs) -> Result<Empty, Error> {
        let parse = |text: &str| {
            let parsed = text.parse::<SocketAddr>();
            parsed.map_err(|_| Error::invalid(reason::BAD_SETTING, "no address"))
        };
        let (address, data) = (parse(&args.address)?, parse(&args.data_address)?);
        let found = {
            let mut workers = self.0.workers.lock();
            let found = workers.get_mut(&args.worker);
            found
                .filter(|worker| worker.secret == args.secret)
                .map(|worker| {
                    worker.address = Some(address);
                    worker.data_address = Some(data);
                    worker.clone()
                })
        };
        let Some(worker) = found else {
            let message = "no such worker is waited for";
            return Err(Error::new(
                Code::PermissionDenied,
                reason::NOT_YOURS,
                message,
            ));
        };
        let mut writes = Writes::default();
        writes.worker(args.worker, &worker);
        self.0.book.write(writes).await?;
        let generation = Generation(worker.generation);
        let message = Message::Connected {
            node: NODE.into(),
            slots: worker.slots,
        };
        self.tell(&worker.job, generation, args.worker, message);
        Ok(Empty {})
    }
}
