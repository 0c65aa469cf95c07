//! One machine's agent: makes its assignments so, and says what it sees.
//!
//! ```text
//!   assignments ──▶ node::diff ──▶ spawn, adopt, stop, kill ──▶ Runtime
//!                       ▲   │
//!        guards ────────┘   └────▶ reports
//! ```
//!
//! One task owns what is known ([`NodeState`]); whatever takes time (a start, a stop, a probe) is a
//! task beside it that tells how it went. Everything is compared with everything each time
//! something happened, so nothing depends on a message not getting lost.
//!
//! It is used twice: inside `scheduling`, for the machine it runs on, and by the bin `agent`, which
//! gets its assignments over the network (see [`link`]).

mod artifacts;
mod credentials;
mod facts;
mod guard;
mod launch;
pub mod link;
pub mod place;
mod probe;
mod recover;
mod secrets;
mod signer;
mod start;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Exit, Failure, InstanceId, NodeId};
use reconciliation::node::{Ending, LocalPhase, LocalProcess, NodeAction, NodeState, diff};
use reconciliation::{Assignment, Assignments, Desired, Report};
use supervision::{Running, Runtime};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

pub use self::artifacts::{Artifacts, BuildError, Program, Progress};
pub use self::credentials::{Credentials, NoToken};
pub use self::facts::Told;
use self::guard::{Duty, Seen};
pub use self::launch::Surroundings;
pub use self::launch::chain;
pub use self::recover::StartError;
pub use self::secrets::Secrets;
pub use self::signer::Signer;
use self::start::Starter;
use self::table::Table;

/// A report that the control plane has not understood after this long is sent again.
const REPORT_AGAIN: Duration = Duration::from_secs(1);
/// How long one that stopped answering may take to end: it does not answer.
const GRACE_UNRESPONSIVE_MS: u64 = 500;
/// Pause before what survived SIGKILL is killed again.
const KILL_AGAIN: Duration = Duration::from_secs(5);

/// What an agent works with.
pub struct Settings {
    /// The node it is.
    pub node: NodeId,
    /// Where it remembers what it started: a file.
    pub journal: PathBuf,
    /// What instances are told about the fleet.
    pub surroundings: Surroundings,
    /// What starts and stops processes.
    pub runtime: Arc<dyn Runtime>,
    /// What finds their programs.
    pub artifacts: Arc<Artifacts>,
}

/// The processes of the machine by instance, for those who want their usage or their end.
#[derive(Clone, Default)]
pub struct Processes(Arc<Mutex<BTreeMap<InstanceId, Running>>>);

impl Processes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every process that has not ended, as far as the agent knows.
    #[must_use]
    pub fn all(&self) -> Vec<Running> {
        self.lock().values().cloned().collect()
    }
}

/// One machine's agent, with everything found that an earlier one started.
pub struct Agent {
    state: NodeState,
    processes: Processes,
    /// Why a process that is being ended has failed.
    dooms: BTreeMap<InstanceId, Failure>,
    adopted: usize,
    runtime: Arc<dyn Runtime>,
    table: Arc<Mutex<Table>>,
    starter: Arc<Starter>,
    happened: UnboundedReceiver<Happened>,
    tell: UnboundedSender<Happened>,
    seen: UnboundedSender<(InstanceId, Seen)>,
    seeing: UnboundedReceiver<(InstanceId, Seen)>,
    /// What was reported and not understood yet, and when.
    sent: BTreeMap<InstanceId, Vec<(Report, Instant)>>,
}

/// How a start went.
enum Happened {
    Started(Box<Assignment>, Running),
    NotStarted(InstanceId, Failure),
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Agent {
    /// How many running processes of an earlier agent it found.
    #[must_use]
    pub fn adopted(&self) -> usize {
        self.adopted
    }

    /// The processes of the machine.
    #[must_use]
    pub fn processes(&self) -> Processes {
        self.processes.clone()
    }

    /// Works until nobody sends assignments or takes reports any more. Ends no process by itself.
    pub async fn run(
        mut self,
        mut assignments: watch::Receiver<Option<Arc<Assignments>>>,
        reports: mpsc::Sender<Vec<Report>>,
    ) {
        loop {
            let current = assignments.borrow_and_update().clone();
            if let Some(current) = current {
                let told = self.compare(&current);
                if !told.is_empty() && reports.send(told).await.is_err() {
                    return;
                }
            }
            let sent = self.sent.values().flatten();
            let again = sent.map(|(_, at)| *at + REPORT_AGAIN).min();
            tokio::select! {
                changed = assignments.changed() => if changed.is_err() { return },
                Some(first) = self.happened.recv() => self.started(first),
                Some((id, what)) = self.seeing.recv() => self.saw(&id, what),
                () = sleep_until(again.unwrap_or_else(far_away)), if again.is_some() => {}
            }
            while let Ok(more) = self.happened.try_recv() {
                self.started(more);
            }
            while let Ok((id, what)) = self.seeing.try_recv() {
                self.saw(&id, what);
            }
        }
    }

    /// Does what there is to do, and returns what there is to tell.
    fn compare(&mut self, assignments: &Assignments) -> Vec<Report> {
        let mut reports = Vec::new();
        for action in diff(assignments, &self.state) {
            match action {
                NodeAction::Spawn(assignment) => self.spawn(assignment),
                NodeAction::Adopt { assignment, .. } => self.adopt(&assignment),
                NodeAction::Stop {
                    instance,
                    grace_period_ms,
                } => self.stop(&instance, grace_period_ms),
                NodeAction::Kill { instance, why } => {
                    tracing::warn!(%instance, ?why, "killing a process nobody wants");
                    self.stop(&instance, Some(0));
                }
                NodeAction::Report(report) => reports.push(report),
                NodeAction::Forget { instance } => self.forget(&instance),
            }
        }
        self.state.applied = self.state.applied.max(assignments.revision);
        self.not_sent_lately(reports)
    }

    fn not_sent_lately(&mut self, reports: Vec<Report>) -> Vec<Report> {
        let now = Instant::now();
        let before = std::mem::take(&mut self.sent);
        let mut fresh = Vec::new();
        for report in reports {
            let earlier = before.get(&report.instance).into_iter().flatten();
            let mut lately = earlier.filter(|(_, at)| now < *at + REPORT_AGAIN);
            let sent_at = match lately.find(|(sent, _)| *sent == report) {
                Some((_, at)) => *at,
                None => {
                    fresh.push(report.clone());
                    now
                }
            };
            let sent = self.sent.entry(report.instance.clone()).or_default();
            sent.push((report, sent_at));
        }
        fresh
    }

    fn spawn(&mut self, assignment: Box<Assignment>) {
        let id = assignment.instance.id.clone();
        let process = LocalProcess {
            identity: None,
            phase: LocalPhase::Spawning,
        };
        self.state.processes.insert(id.clone(), process);
        let (starter, tell) = (Arc::clone(&self.starter), self.tell.clone());
        tokio::spawn(async move {
            let happened = match starter.start(&assignment).await {
                Ok(running) => Happened::Started(assignment, running),
                Err(failure) => Happened::NotStarted(id, failure),
            };
            let _ = tell.send(happened);
        });
    }

    fn started(&mut self, happened: Happened) {
        match happened {
            Happened::Started(assignment, running) => {
                let id = running.id().clone();
                self.set_phase(&id, LocalPhase::Starting);
                if let Some(process) = self.state.processes.get_mut(&id) {
                    process.identity = Some(running.identity().clone());
                }
                self.processes.lock().insert(id, running.clone());
                self.guard(&assignment, running, false);
            }
            Happened::NotStarted(id, failure) => {
                tracing::debug!(instance = %id, %failure, "not started");
                self.set_phase(&id, LocalPhase::Ended(Ending::Failed(failure)));
            }
        }
    }

    fn adopt(&mut self, assignment: &Assignment) {
        let id = &assignment.instance.id;
        let Some(running) = self.processes.lock().get(id).cloned() else {
            return;
        };
        let was_ready = assignment.instance.healthy_since.is_some();
        let phase = if was_ready {
            LocalPhase::Healthy
        } else {
            LocalPhase::Starting
        };
        self.set_phase(id, phase);
        self.guard(assignment, running, true);
    }

    fn guard(&self, assignment: &Assignment, running: Running, adopted: bool) {
        let instance = &assignment.instance;
        let Desired::Run(spec) = &assignment.desired else {
            return;
        };
        let duty = Duty {
            running,
            address: self.starter.surroundings.address(instance.port),
            probes: spec.probes.clone(),
            was_ready: adopted && instance.healthy_since.is_some(),
            adopted,
        };
        let runtime = Arc::clone(&self.runtime);
        tokio::spawn(guard::watch(duty, runtime, self.seen.clone()));
    }

    fn stop(&mut self, id: &InstanceId, grace_ms: Option<u64>) {
        let Some(process) = self.state.processes.get_mut(id) else {
            return;
        };
        let remembered = || lock(&self.table).grace_ms(id).unwrap_or_default();
        let mut grace_ms = grace_ms.unwrap_or_else(remembered);
        if matches!(process.phase, LocalPhase::Unhealthy { .. }) {
            grace_ms = grace_ms.min(GRACE_UNRESPONSIVE_MS);
        }
        process.phase = LocalPhase::Stopping;
        let Some(running) = self.processes.lock().get(id).cloned() else {
            return;
        };
        let (runtime, seen) = (Arc::clone(&self.runtime), self.seen.clone());
        let grace = Duration::from_millis(grace_ms);
        tokio::spawn(async move {
            let exit = stopped(runtime.as_ref(), &running, grace).await;
            let last_lines = Vec::new();
            let _ = seen.send((running.id().clone(), Seen::Exited { exit, last_lines }));
        });
    }

    fn saw(&mut self, id: &InstanceId, what: Seen) {
        let Some(process) = self.state.processes.get(id) else {
            return;
        };
        match (what, &process.phase) {
            (Seen::Ready, LocalPhase::Starting) | (Seen::Well, LocalPhase::Unhealthy { .. }) => {
                self.set_phase(id, LocalPhase::Healthy);
            }
            (Seen::Unwell { why }, LocalPhase::Healthy) => {
                self.set_phase(id, LocalPhase::Unhealthy { why });
            }
            (Seen::NotReady { deadline_ms }, LocalPhase::Starting) => {
                let last_lines = self.runtime.last_lines(id, guard::LAST_LINES);
                let failure = Failure::NotReady {
                    deadline_ms,
                    last_lines,
                };
                self.dooms.insert(id.clone(), failure);
                self.stop(id, Some(0));
            }
            (Seen::Exited { .. }, LocalPhase::Ended(_)) => {}
            (Seen::Exited { exit, last_lines }, phase) => {
                let asked = *phase == LocalPhase::Stopping;
                let ending = match self.dooms.remove(id) {
                    Some(failure) => Ending::Failed(failure),
                    None if asked => Ending::Stopped(Some(exit)),
                    None => Ending::Failed(Failure::Exited { exit, last_lines }),
                };
                self.processes.lock().remove(id);
                self.set_phase(id, LocalPhase::Ended(ending));
            }
            _ => {}
        }
    }

    fn set_phase(&mut self, id: &InstanceId, phase: LocalPhase) {
        if let Some(process) = self.state.processes.get_mut(id) {
            process.phase = phase;
        }
    }

    fn forget(&mut self, id: &InstanceId) {
        self.state.processes.remove(id);
        if let Err(error) = lock(&self.table).forget(id) {
            tracing::warn!(instance = %id, %error, "the journal cannot be written");
        }
    }
}

/// Ends it, however long that takes.
async fn stopped(runtime: &dyn Runtime, running: &Running, mut grace: Duration) -> Exit {
    loop {
        match runtime.stop(running, grace).await {
            Ok(exit) => return exit,
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(instance = %running.id(), error, "it does not end; trying again");
                grace = Duration::ZERO;
                sleep(KILL_AGAIN).await;
            }
        }
    }
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}
