//! Carries releases out: looks at what is, decides, remembers, acts, and looks again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rollout::{Decision, Facts, Live, Reported, Was, decide};
use rpc::{Code, Error};
use scheduling::{
    InstanceInfo, InstanceState, NextVersion, RollArgs, RollStep, RolloutArgs, RolloutReply,
    SchedulingClient,
};
use tokio::time::{sleep, timeout};

use crate::book::Book;
use crate::clock::{now_ms, steady_ms};
use crate::record::Record;
use crate::signals::{Baseline, Signals};

/// How often a release is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often instances are asked how they answer, at most and at least: twice while a step settles.
const ASK_EVERY: (u64, u64) = (50, 500);
/// While scheduling is away.
const AWAY: Duration = Duration::from_millis(500);
/// Whoever has not looked for so long does not know what happened meanwhile.
const BLIND: Duration = Duration::from_secs(2);

/// Carries out every release that is not over, each by a task of its own, for ever.
pub(crate) async fn work(book: Book, scheduling: SchedulingClient) {
    let mut changes = book.changes();
    let mut begun = BTreeSet::new();
    loop {
        changes.mark_unchanged();
        for id in book.under_way() {
            if begun.insert(id) {
                let worker = Worker {
                    id,
                    book: book.clone(),
                    scheduling: scheduling.clone(),
                    signals: Signals::default(),
                    baseline: Baseline::default(),
                    measured: None,
                    asked: None,
                    looked: None,
                };
                tokio::spawn(worker.run());
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

struct Worker {
    id: u64,
    book: Book,
    scheduling: SchedulingClient,
    signals: Signals,
    /// What was counted when the step began.
    baseline: Baseline,
    /// For which step the baseline was taken.
    measured: Option<u32>,
    asked: Option<(Instant, (rollout::Stats, rollout::Stats))>,
    /// When it was last seen how things are.
    looked: Option<Instant>,
}

impl Worker {
    async fn run(mut self) {
        let mut changes = self.book.changes();
        loop {
            changes.mark_unchanged();
            let pause = match self.look().await {
                Ok(true) => return,
                Ok(false) => LOOK_EVERY,
                Err(error) => {
                    tracing::debug!(release = self.id, %error, "cannot go on just now");
                    self.book.waits(self.id, &format!("scheduling: {error}"));
                    AWAY
                }
            };
            // A change, as by `pause` or `rollback`, is looked at at once. Our own come here too.
            let _ = timeout(pause, changes.changed()).await;
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Looks once; whether it is over.
    async fn look(&mut self) -> Result<bool, Error> {
        let Some(record) = self.book.get(self.id) else {
            return Ok(true);
        };
        if record.release.phase.is_over() {
            return Ok(true);
        }
        let service = record.service.clone();
        let rollout = match self.scheduling.rollout(&RolloutArgs { service }).await {
            Ok(rollout) => rollout,
            Err(error) if error.code == Code::NotFound => {
                let why = "the service was deleted".to_owned();
                self.end(rollout::Phase::Superseded { why }).await?;
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        let record = self.sees_again(record).await?;
        let facts = self.facts(&record, &rollout).await;
        let (next, decision) = decide(&record.release, &facts, steady_ms());
        if let Some(kept) = self
            .remember(&record, next, &decision, facts.replicas)
            .await?
        {
            self.act(&kept, decision, &rollout).await?;
            return Ok(kept.release.phase.is_over());
        }
        Ok(false)
    }

    /// The time in which nobody looked does not count.
    async fn sees_again(&mut self, record: Record) -> Result<Record, Error> {
        let before = self.looked.replace(Instant::now());
        if before.is_some_and(|at| at.elapsed() < BLIND) {
            return Ok(record);
        }
        let seen = self.book.change(self.id, |kept| {
            let before = kept.release.progress.clone();
            kept.release.progress.look_again(steady_ms());
            kept.changes += u64::from(before != kept.release.progress);
            Ok(())
        });
        seen.await
    }

    /// Makes durable what was decided. Nothing, if an operator did something meanwhile: that is
    /// decided about anew.
    async fn remember(
        &self,
        record: &Record,
        next: rollout::Release,
        decision: &Decision,
        replicas: u32,
    ) -> Result<Option<Record>, Error> {
        if next == record.release {
            let kept = self.book.get(self.id);
            return Ok(kept.filter(|kept| kept.release == next));
        }
        let before = record.release.clone();
        let what = story(record, &next, decision, replicas);
        let wanted = next.clone();
        let changed = self.book.change(self.id, move |kept| {
            if kept.release == before {
                kept.release = next;
                kept.changes += 1;
                if let Some(what) = what {
                    kept.note(now_ms(), what);
                }
            }
            Ok(())
        });
        let kept = changed.await?;
        Ok(Some(kept).filter(|kept| kept.release == wanted))
    }

    async fn act(
        &self,
        record: &Record,
        decision: Decision,
        rollout: &RolloutReply,
    ) -> Result<(), Error> {
        let begins = matches!(decision, Decision::Begin { .. });
        let step = match decision {
            Decision::Begin { from, surge } => RollStep::Begin {
                version: record.to.clone(),
                from,
                surge,
                onto: rollout.spec_revision,
            },
            Decision::Move { from, surge } => RollStep::Move { from, surge },
            Decision::Promote => RollStep::Promote,
            Decision::Withdraw => RollStep::Withdraw,
            Decision::Wait { why } => {
                self.book.waits(self.id, &why);
                return Ok(());
            }
            Decision::End => {
                self.book.waits(self.id, "");
                return Ok(());
            }
        };
        let args = RollArgs {
            service: record.service.clone(),
            by: record.label(),
            fence: record.fence,
            step,
        };
        let refused = |e: &Error| matches!(e.code, Code::InvalidArgument | Code::NotFound);
        match self.scheduling.roll(&args).await {
            Ok(_) => Ok(()),
            // It cannot even be built. It is withdrawn all the same: a call that nobody waited for
            // any more may have begun it.
            Err(error) if begins && refused(&error) => {
                self.turn_back(&format!("the newer version cannot be started: {error}"))
                    .await
            }
            // Somebody was faster: what is there now is looked at.
            Err(error) if error.code == Code::Conflict => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn turn_back(&self, why: &str) -> Result<(), Error> {
        let why = why.to_owned();
        let turned = self.book.change(self.id, move |record| {
            if record.release.phase == rollout::Phase::Running {
                record.release = record.release.clone().back(&why);
                record.note(now_ms(), format!("goes back: {why}"));
            }
            Ok(())
        });
        turned.await.map(drop)
    }

    async fn end(&self, phase: rollout::Phase) -> Result<(), Error> {
        let ended = self.book.change(self.id, move |record| {
            if !record.release.phase.is_over() {
                record.release.phase = phase.clone();
                record.note(now_ms(), format!("{phase:?}"));
            }
            Ok(())
        });
        ended.await.map(drop)
    }

    async fn facts(&mut self, record: &Record, rollout: &RolloutReply) -> Facts {
        let newer_revision = match &rollout.next {
            Some(next) if is_ours(record, next) => Some(next.spec_revision),
            _ => None,
        };
        let is_newer = |i: &&InstanceInfo| Some(i.spec_revision) == newer_revision;
        let all = || rollout.instances.iter();
        let live = all().filter(|i| !i.state.is_terminal()).map(|i| Live {
            index: i.index,
            newer: is_newer(&i),
            healthy: i.state == InstanceState::Healthy,
        });
        let failed = |i: &&InstanceInfo| i.state == InstanceState::Failed;
        let failures = all().filter(is_newer).filter(failed).count();
        let (old, new) = match record.release.phase {
            rollout::Phase::Running => self.stats(record, rollout, newer_revision).await,
            // On the way back nothing is judged any more.
            _ => Default::default(),
        };
        Facts {
            replicas: rollout.replicas,
            was: was(record, rollout),
            live: live.collect(),
            reported: Reported {
                failures: u32::try_from(failures).unwrap_or(u32::MAX),
            },
            old,
            new,
        }
    }

    /// How both versions answered since the step began, asked anew now and then. While the newer
    /// one had too few calls in that time, everything counts that it ever answered.
    async fn stats(
        &mut self,
        record: &Record,
        rollout: &RolloutReply,
        newer: Option<u64>,
    ) -> (rollout::Stats, rollout::Stats) {
        let step = record.release.step;
        let plan = &record.release.plan;
        let every = Duration::from_millis((plan.settle_ms / 2).clamp(ASK_EVERY.0, ASK_EVERY.1));
        let fresh = self.asked.as_ref().filter(|(at, _)| at.elapsed() < every);
        if let (Some((_, stats)), true) = (fresh, self.measured == Some(step)) {
            return stats.clone();
        }
        let healthy = |i: &&InstanceInfo| i.state == InstanceState::Healthy;
        let instances: Vec<InstanceInfo> =
            rollout.instances.iter().filter(healthy).cloned().collect();
        let counts = self.signals.ask(&instances).await;
        if self.measured != Some(step) {
            self.baseline.begin(counts.clone());
            self.measured = Some(step);
        }
        let is_newer = |i: &&InstanceInfo| Some(i.spec_revision) == newer;
        let old = instances.iter().filter(|i| !is_newer(i));
        let old = self.baseline.since(&counts, old);
        let newer = || instances.iter().filter(is_newer);
        let mut new = self.baseline.since(&counts, newer());
        if new.calls < plan.gates.calls_min {
            new = Baseline::default().since(&counts, newer());
        }
        self.asked = Some((Instant::now(), (old.clone(), new.clone())));
        (old, new)
    }
}

fn is_ours(record: &Record, next: &NextVersion) -> bool {
    next.by == record.label() && next.fence == record.fence
}

fn was(record: &Record, rollout: &RolloutReply) -> Was {
    match &rollout.next {
        Some(next) if is_ours(record, next) => Was::Ours {
            from: next.from,
            surge: next.surge,
        },
        Some(_) => Was::Other,
        None if rollout.version == record.to => Was::Newer,
        None if rollout.version == record.from => Was::Older {
            closed: rollout.rolled >= record.fence,
        },
        None => Was::Other,
    }
}

/// What is worth remembering of a decision.
fn story(
    record: &Record,
    next: &rollout::Release,
    decision: &Decision,
    replicas: u32,
) -> Option<String> {
    if next.phase != record.release.phase {
        return Some(match &next.phase {
            rollout::Phase::RollingBack { why } => format!("goes back: {why}"),
            rollout::Phase::RolledBack { .. } => "is back".to_owned(),
            rollout::Phase::Superseded { why } => why.clone(),
            rollout::Phase::Done => "is done".to_owned(),
            rollout::Phase::Running => "goes on".to_owned(),
        });
    }
    match decision {
        Decision::Move { from, .. } if next.step != record.release.step => {
            let newer = replicas.saturating_sub(*from);
            Some(format!(
                "step {}: {newer} of {replicas} run the newer version",
                next.step + 1
            ))
        }
        _ => None,
    }
}
