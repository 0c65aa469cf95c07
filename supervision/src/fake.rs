//! A machine in memory: thousands of instances from a script, without one process.
//!
//! Deterministic: time is tokio's (pause it in tests), pids count up from 1, and nothing happens
//! that the script or the test did not ask for. A clone is another supervisor on the same machine:
//! drop one, make another, and adopt, as after a crash.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use model::{Exit, InstanceId, ProcessIdentity};
use tokio::sync::watch;

use crate::{
    AdoptError, BoxFuture, Launch, Notice, Running, Runtime, SpawnError, StopError, Survivor, Usage,
};

/// What becomes of one start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The start fails, with these words.
    pub refuse: Option<&'static str>,
    /// How long `spawn` takes.
    pub start_delay: Duration,
    /// How long after its start it says `READY=1`; `None`: never.
    pub ready_after: Option<Duration>,
    /// It ends by itself, that long after its start.
    pub exit_after: Option<(Duration, Exit)>,
    /// How long after SIGTERM it ends; `None`: it ignores it.
    pub obeys_term_after: Option<Duration>,
    /// What it has written.
    pub lines: Vec<String>,
    /// What it uses.
    pub usage: Usage,
}

impl Default for Script {
    /// Starts at once, is ready at once, runs for ever, ends at once when asked to.
    fn default() -> Self {
        Self {
            refuse: None,
            start_delay: Duration::ZERO,
            ready_after: Some(Duration::ZERO),
            exit_after: None,
            obeys_term_after: Some(Duration::ZERO),
            lines: Vec::new(),
            usage: Usage {
                pids: 1,
                ..Usage::default()
            },
        }
    }
}

/// Runs instances from a script. Clones share the machine.
#[derive(Clone)]
pub struct FakeRuntime {
    machine: Arc<Mutex<Machine>>,
    script: Arc<dyn Fn(&Launch) -> Script + Send + Sync>,
}

#[derive(Default)]
struct Machine {
    pid_last: u32,
    alive: BTreeMap<InstanceId, Process>,
    /// Every start that succeeded, in order.
    started: Vec<Launch>,
    lines: BTreeMap<InstanceId, Vec<String>>,
}

struct Process {
    identity: ProcessIdentity,
    script: Script,
    exit: watch::Sender<Option<Exit>>,
    notice: watch::Sender<Notice>,
}

impl Process {
    fn running(&self, id: &InstanceId) -> Running {
        let (exit, notice) = (self.exit.subscribe(), self.notice.subscribe());
        Running::new(id.clone(), self.identity.clone(), exit, notice)
    }
}

impl Default for FakeRuntime {
    fn default() -> Self {
        Self::new(|_| Script::default())
    }
}

impl FakeRuntime {
    /// A machine on which each start follows what `script` says about it.
    pub fn new(script: impl Fn(&Launch) -> Script + Send + Sync + 'static) -> Self {
        Self {
            machine: Arc::default(),
            script: Arc::new(script),
        }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        lock(&self.machine)
    }

    /// Ends an instance, as a crash would; `false` when it does not run.
    pub fn end(&self, id: &InstanceId, exit: Exit) -> bool {
        self.machine().end(id, None, exit)
    }

    /// Lets an instance say something on the notify socket; `false` when it does not run.
    pub fn say(&self, id: &InstanceId, said: &Notice) -> bool {
        self.machine().say(id, None, said)
    }

    /// What runs now, by name.
    #[must_use]
    pub fn alive(&self) -> Vec<Survivor> {
        let machine = self.machine();
        let survivor = |(id, process): (&InstanceId, &Process)| Survivor {
            id: id.clone(),
            identity: process.identity.clone(),
        };
        machine.alive.iter().map(survivor).collect()
    }

    /// Every launch that was ever started, in order.
    #[must_use]
    pub fn started(&self) -> Vec<Launch> {
        self.machine().started.clone()
    }

    async fn start(&self, launch: Launch) -> Result<Running, SpawnError> {
        let script = (self.script)(&launch);
        if !script.start_delay.is_zero() {
            tokio::time::sleep(script.start_delay).await;
        }
        if let Some(why) = script.refuse {
            let source = io::Error::other(why);
            return Err(SpawnError::System {
                what: "start (the script says so)",
                source,
            });
        }
        let (id, ready_after, exit_after) =
            (launch.id.clone(), script.ready_after, script.exit_after);
        let running = self.machine().start(launch, script)?;
        let pid = running.identity().pid;
        let ready = Notice {
            ready: true,
            ..Notice::default()
        };
        if let Some(delay) = ready_after {
            self.after(delay, id.clone(), move |machine, id| {
                machine.say(id, Some(pid), &ready);
            });
        }
        if let Some((delay, exit)) = exit_after {
            self.after(delay, id, move |machine, id| {
                machine.end(id, Some(pid), exit);
            });
        }
        Ok(running)
    }

    /// Does something to the machine later; at once when the delay is zero.
    fn after(
        &self,
        delay: Duration,
        id: InstanceId,
        act: impl FnOnce(&mut Machine, &InstanceId) + Send + 'static,
    ) {
        if delay.is_zero() {
            act(&mut self.machine(), &id);
            return;
        }
        let machine: Weak<Mutex<Machine>> = Arc::downgrade(&self.machine);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let Some(machine) = machine.upgrade() {
                act(&mut lock(&machine), &id);
            }
        });
    }

    async fn end_politely(&self, running: &Running, grace: Duration) -> Exit {
        let (id, pid) = (running.id().clone(), running.identity().pid);
        let obeys = {
            let machine = self.machine();
            let process = machine.alive.get(&id).filter(|p| p.identity.pid == pid);
            process.and_then(|process| process.script.obeys_term_after)
        };
        let term = Exit::Signal(15);
        if let Some(delay) = obeys.filter(|_| !grace.is_zero()) {
            self.after(delay, id.clone(), move |machine, id| {
                machine.end(id, Some(pid), term);
            });
        }
        if let Ok(exit) = tokio::time::timeout(grace, running.exit()).await {
            return exit;
        }
        self.machine().end(&id, Some(pid), Exit::Signal(9));
        running.exit().await
    }
}

impl Machine {
    fn start(&mut self, launch: Launch, script: Script) -> Result<Running, SpawnError> {
        let id = launch.id.clone();
        if self.alive.contains_key(&id) {
            return Err(SpawnError::AlreadyRunning { id });
        }
        self.pid_last += 1;
        let process = Process {
            identity: ProcessIdentity {
                boot_id: "fake".to_owned(),
                pid: self.pid_last,
                start_ticks: u64::from(self.pid_last),
            },
            exit: watch::Sender::new(None),
            notice: watch::Sender::default(),
            script,
        };
        let running = process.running(&id);
        self.lines.insert(id.clone(), process.script.lines.clone());
        self.alive.insert(id, process);
        self.started.push(launch);
        Ok(running)
    }

    fn get(&self, id: &InstanceId, pid: Option<u32>) -> Option<&Process> {
        let process = self.alive.get(id)?;
        (pid.is_none() || pid == Some(process.identity.pid)).then_some(process)
    }

    fn say(&mut self, id: &InstanceId, pid: Option<u32>, said: &Notice) -> bool {
        let process = self.get(id, pid);
        process.is_some_and(|process| {
            process.notice.send_modify(|notice| notice.merge(said));
            true
        })
    }

    fn end(&mut self, id: &InstanceId, pid: Option<u32>, exit: Exit) -> bool {
        if self.get(id, pid).is_none() {
            return false;
        }
        let process = self.alive.remove(id);
        process.is_some_and(|process| {
            process.exit.send_replace(Some(exit));
            true
        })
    }
}

fn lock(machine: &Mutex<Machine>) -> MutexGuard<'_, Machine> {
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runtime for FakeRuntime {
    fn spawn(&self, launch: Launch) -> BoxFuture<'_, Result<Running, SpawnError>> {
        Box::pin(self.start(launch))
    }

    fn adopt(
        &self,
        id: InstanceId,
        identity: ProcessIdentity,
    ) -> BoxFuture<'_, Result<Option<Running>, AdoptError>> {
        let machine = self.machine();
        let process = machine
            .alive
            .get(&id)
            .filter(|process| process.identity == identity);
        let running = process.map(|process| process.running(&id));
        Box::pin(std::future::ready(Ok(running)))
    }

    fn survivors(&self) -> BoxFuture<'_, io::Result<Vec<Survivor>>> {
        Box::pin(std::future::ready(Ok(self.alive())))
    }

    fn stop<'a>(
        &'a self,
        running: &'a Running,
        grace: Duration,
    ) -> BoxFuture<'a, Result<Exit, StopError>> {
        Box::pin(async move { Ok(self.end_politely(running, grace).await) })
    }

    fn usage(&self, running: &Running) -> io::Result<Usage> {
        let machine = self.machine();
        let process = machine.get(running.id(), Some(running.identity().pid));
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the instance has ended");
        process.map(|process| process.script.usage).ok_or_else(gone)
    }

    fn last_lines(&self, id: &InstanceId, lines_max: usize) -> Vec<String> {
        let machine = self.machine();
        let lines = machine.lines.get(id).map(Vec::as_slice).unwrap_or_default();
        lines[lines.len().saturating_sub(lines_max)..].to_vec()
    }
}
