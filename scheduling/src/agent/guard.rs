//! Watching over one process: ready, well, ended.

use std::sync::Arc;
use std::time::Duration;

use std::net::SocketAddr;

use model::{Exit, InstanceId, ProbeKind, Probes};
use supervision::{Running, Runtime};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use super::probe::Question;

/// How many of its last lines a failure carries.
pub(super) const LAST_LINES: usize = 10;
/// The first questions of a readiness probe come closer together than later ones.
const READINESS_PAUSE_FIRST: Duration = Duration::from_millis(5);

/// What a guard saw.
#[derive(Debug)]
pub(super) enum Seen {
    /// It is ready for the first time.
    Ready,
    /// It was not ready in time.
    NotReady { deadline_ms: u64 },
    /// It answers again.
    Well,
    /// It does not answer as it should.
    Unwell { why: String },
    /// Nothing of it is left.
    Exited { exit: Exit, last_lines: Vec<String> },
}

/// How to watch over it.
pub(super) struct Duty {
    pub(super) running: Running,
    /// Where it listens.
    pub(super) address: Option<SocketAddr>,
    pub(super) probes: Probes,
    /// It has been ready before: only its liveness is of interest.
    pub(super) was_ready: bool,
    /// Somebody else started it: what it said on the readiness socket may be lost.
    pub(super) adopted: bool,
}

/// Watches until it has ended; one task for each process.
pub(super) async fn watch(
    duty: Duty,
    runtime: Arc<dyn Runtime>,
    seen: UnboundedSender<(InstanceId, Seen)>,
) {
    let id = duty.running.id().clone();
    let tell = |what| drop(seen.send((id.clone(), what)));
    let exit = tokio::select! {
        biased;
        exit = duty.running.exit() => exit,
        () = duty.ask(&tell) => duty.running.exit().await,
    };
    let last_lines = runtime.last_lines(&id, LAST_LINES);
    tell(Seen::Exited { exit, last_lines });
}

impl Duty {
    /// Returns when there is nothing more to ask.
    async fn ask(&self, tell: &impl Fn(Seen)) {
        if !self.was_ready {
            let deadline_ms = self.probes.readiness.deadline_ms;
            let in_time = timeout(Duration::from_millis(deadline_ms), self.ready());
            if in_time.await.is_err() {
                return tell(Seen::NotReady { deadline_ms });
            }
            tell(Seen::Ready);
        }
        let liveness = Question::new(&self.probes.liveness, self.address);
        if liveness.can_be_asked() {
            self.alive(&liveness, tell).await;
        }
    }

    async fn ready(&self) {
        let question = Question::new(&self.probes.readiness, self.address);
        let told = self.probes.readiness.kind == ProbeKind::Procedure;
        match (told, question.can_be_asked()) {
            (true, true) => tokio::select! {
                () = self.running.ready() => {}
                () = self.answers(&question, !self.adopted) => {}
            },
            // Without a port nobody can ask: it says so itself.
            (true, false) => self.running.ready().await,
            (false, true) => self.answers(&question, false).await,
            (false, false) => {}
        }
    }

    /// Asks until the answer is good. With `later`, not before one interval has passed.
    async fn answers(&self, question: &Question, later: bool) {
        let longest = Duration::from_millis(self.probes.readiness.interval_ms.max(1));
        let mut pause = READINESS_PAUSE_FIRST.min(longest);
        if later {
            pause = longest;
            sleep(pause).await;
        }
        while question.ask().await.is_err() {
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Asks for ever; tells when `failures_max` bad answers came in a row, and when that is over.
    async fn alive(&self, question: &Question, tell: &impl Fn(Seen)) {
        let probe = &self.probes.liveness;
        let period = Duration::from_millis(probe.interval_ms.max(1));
        let first = if self.adopted { Duration::ZERO } else { period };
        let mut ticks = interval_at(Instant::now() + first, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = 0_u32;
        loop {
            ticks.tick().await;
            match question.ask().await {
                Ok(()) => {
                    if failures >= probe.failures_max.max(1) {
                        tell(Seen::Well);
                    }
                    failures = 0;
                }
                Err(why) => {
                    failures = failures.saturating_add(1);
                    if failures == probe.failures_max.max(1) {
                        let why = format!("{why}, {failures} times in a row");
                        tell(Seen::Unwell { why });
                    }
                }
            }
        }
    }
}
