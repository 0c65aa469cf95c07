//! What to do next.

use crate::{Plan, Progress, Stats, Steps, judge, rescaled, targets};

/// Where a release is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// On its way.
    Running,
    /// On its way back.
    RollingBack {
        /// Why.
        why: String,
    },
    /// The newer version is the version.
    Done,
    /// The older version is the version, as before.
    RolledBack {
        /// Why.
        why: String,
    },
    /// Somebody wished for something else meanwhile.
    Superseded {
        /// What.
        why: String,
    },
}

impl Phase {
    /// Whether nothing more will be done.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !matches!(self, Self::Running | Self::RollingBack { .. })
    }
}

/// What was decided so far: all that has to be remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// What it is to do.
    pub plan: Plan,
    /// Where it is.
    pub phase: Phase,
    /// Whether it takes no further step. It turns back all the same.
    pub paused: bool,
    /// Which of the plan's targets it is at.
    pub step: u32,
    /// For how many replicas that was decided.
    pub replicas: u32,
    /// Whether somebody asked for the next step.
    pub advance: bool,
    /// What was seen of this step.
    pub progress: Progress,
}

impl Release {
    /// One that begins now, of a service with so many replicas.
    #[must_use]
    pub fn new(plan: Plan, replicas: u32) -> Self {
        Self {
            plan,
            phase: Phase::Running,
            paused: false,
            step: 0,
            replicas,
            advance: false,
            progress: Progress::default(),
        }
    }

    /// The same, on its way back from now on. One that is over stays as it is.
    #[must_use]
    pub fn back(mut self, why: &str) -> Self {
        if self.phase == Phase::Running {
            self.phase = Phase::RollingBack {
                why: why.to_owned(),
            };
            self.paused = false;
            self.progress = Progress::default();
        }
        self
    }

    fn go_to(&mut self, step: u32, replicas: u32) {
        self.step = step;
        self.replicas = replicas;
        self.progress = Progress::default();
    }
}

/// An instance that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its slot.
    pub index: u32,
    /// Whether it is of the newer version.
    pub newer: bool,
    /// Whether it is healthy.
    pub healthy: bool,
}

/// What the service's spec says of newer versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Was {
    /// Ours is on its way: slots from `from` on, with so many beyond the replicas.
    Ours {
        /// From which slot on.
        from: u32,
        /// How many slots beyond the replicas.
        surge: u32,
    },
    /// None is on its way, and the version is still the older one.
    Older {
        /// Whether ours is known to be over: it cannot begin any more.
        closed: bool,
    },
    /// None is on its way, and the version is the newer one.
    Newer,
    /// Somebody else's is on its way, or is the version now.
    Other,
}

/// What is wrong with the newer version, as far as instances tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Instances of the newer version that ended unasked, or did not start.
    pub failures: u32,
}

/// What is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// How many replicas are wished for.
    pub replicas: u32,
    /// What the spec says of newer versions.
    pub was: Was,
    /// Every instance that has not ended.
    pub live: Vec<Live>,
    /// What ended.
    pub reported: Reported,
    /// How the older version answers.
    pub old: Stats,
    /// How the newer one does.
    pub new: Stats,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Put the newer version on its way: build it, and have slots from `from` on run it.
    Begin {
        /// From which slot on.
        from: u32,
        /// How many slots beyond the replicas.
        surge: u32,
    },
    /// It is on its way: have slots from `from` on run it, and all others the older one.
    Move {
        /// From which slot on.
        from: u32,
        /// How many slots beyond the replicas.
        surge: u32,
    },
    /// Make the newer version the version.
    Promote,
    /// Forget the newer version, and let it not begin any more.
    Withdraw,
    /// Look again later.
    Wait {
        /// What for.
        why: String,
    },
    /// Nothing more: it is over.
    End,
}

/// Failures of the newer version that are too many, and one in so many of its slots: one start may
/// go wrong for a reason of its own.
const FAILURES_MAX: u32 = 2;
const FAILURES_ONE_IN: u32 = 10;
/// No slot at all, not even those beyond the replicas.
const NOWHERE: u32 = u32::MAX;

/// What to do next, and what to remember before it is done.
#[must_use]
pub fn decide(release: &Release, facts: &Facts, now_ms: u64) -> (Release, Decision) {
    let mut next = release.clone();
    let decision = match &release.phase {
        Phase::Running => forward(&mut next, facts, now_ms),
        Phase::RollingBack { why } => backward(&mut next, why, facts, now_ms),
        _ => Decision::End,
    };
    (next, decision)
}

fn end(release: &mut Release, phase: Phase) -> Decision {
    release.phase = phase;
    Decision::End
}

fn superseded(release: &mut Release) -> Decision {
    let why = "somebody wished for another version meanwhile".to_owned();
    end(release, Phase::Superseded { why })
}

fn forward(release: &mut Release, facts: &Facts, now_ms: u64) -> Decision {
    if release.replicas != facts.replicas {
        let step = rescaled(
            &release.plan,
            release.step,
            release.replicas,
            facts.replicas,
        );
        release.go_to(step, facts.replicas);
    }
    let surge = match facts.was {
        Was::Ours { surge, .. } => surge,
        _ => 0,
    };
    let steps = targets(&release.plan, facts.replicas, surge);
    let ((target, _), surge) = (steps.at(release.step), steps.surge);
    match facts.was {
        Was::Other | Was::Older { closed: true } => return superseded(release),
        Was::Newer => return end(release, Phase::Done),
        Was::Older { .. } if release.paused => return wait("it is paused, before its first step"),
        Was::Older { .. } => {
            let from = target.from;
            return Decision::Begin { from, surge };
        }
        Was::Ours { .. } => {}
    }
    if let Some(why) = trouble(release, facts) {
        return turn_back(release, &why, facts, now_ms);
    }
    let is_there = facts.was == at(target.from, surge);
    if !is_there && !release.paused {
        let from = target.from;
        return Decision::Move { from, surge };
    }
    let missing = look(release, facts, now_ms);
    if release.paused {
        return wait(&match missing {
            Some(slot) => format!("it is paused; slot {slot} is not healthy"),
            None => "it is paused".to_owned(),
        });
    }
    if let Some(slot) = missing {
        let stalled_ms = release.progress.stalled_ms(now_ms);
        if stalled_ms >= release.plan.progress_ms {
            let why = format!("slot {slot} is not healthy, and none became so for {stalled_ms} ms");
            return turn_back(release, &why, facts, now_ms);
        }
        return wait(&format!("slot {slot} is not healthy yet"));
    }
    further(release, &steps, now_ms)
}

/// Everything at this step is well: the next one, if it may be taken.
fn further(release: &mut Release, steps: &Steps, now_ms: u64) -> Decision {
    let (target, is_last) = steps.at(release.step);
    let plan = &release.plan;
    let settled = release
        .progress
        .is_settled(plan.settle_ms, target.hold_ms, now_ms);
    let may_go_on = release.advance || (settled && plan.automatic);
    if !may_go_on {
        return wait(if settled {
            "it is to be advanced by hand"
        } else {
            "it settles"
        });
    }
    release.advance = false;
    if is_last {
        return Decision::Promote;
    }
    release.go_to(release.step + 1, release.replicas);
    let (from, surge) = (steps.at(release.step).0.from, steps.surge);
    Decision::Move { from, surge }
}

fn at(from: u32, surge: u32) -> Was {
    Was::Ours { from, surge }
}

/// Takes note of how many slots are well, and says which is not.
fn look(release: &mut Release, facts: &Facts, now_ms: u64) -> Option<u32> {
    let Was::Ours { from, surge } = facts.was else {
        return None;
    };
    let slots = facts.replicas.saturating_add(surge);
    let (well, missing) = count_well(facts, slots, from);
    let settle_ms = release.plan.settle_ms;
    release.progress.look(well, slots, settle_ms, now_ms);
    missing
}

/// How many of the first so many slots have a healthy instance of the version that they should run,
/// and the last one that has none.
fn count_well(facts: &Facts, slots: u32, from: u32) -> (u32, Option<u32>) {
    let is_well =
        |live: &&Live| live.healthy && live.newer == (live.index >= from) && live.index < slots;
    let well: std::collections::BTreeSet<u32> =
        facts.live.iter().filter(is_well).map(|l| l.index).collect();
    let missing = (0..slots).rev().find(|index| !well.contains(index));
    (u32::try_from(well.len()).unwrap_or(u32::MAX), missing)
}

fn trouble(release: &Release, facts: &Facts) -> Option<String> {
    let failures = facts.reported.failures;
    let newer = facts.live.iter().filter(|live| live.newer).count();
    let newer = u32::try_from(newer).unwrap_or(u32::MAX);
    if failures >= FAILURES_MAX.max(newer / FAILURES_ONE_IN) {
        return Some(format!(
            "{failures} instances of the newer version ended unasked"
        ));
    }
    judge(&release.plan.gates, &facts.old, &facts.new)
}

fn turn_back(release: &mut Release, why: &str, facts: &Facts, now_ms: u64) -> Decision {
    *release = release.clone().back(why);
    backward(release, why, facts, now_ms)
}

/// What was wished for goes back first, while the slots beyond it go on as they are: they carry the
/// load meanwhile. When all that was wished for is back, they go. Only where they cannot carry
/// anything, because they are not healthy, they run the older version too.
fn backward(release: &mut Release, why: &str, facts: &Facts, now_ms: u64) -> Decision {
    let why = why.to_owned();
    let (from, surge) = match facts.was {
        Was::Other => return superseded(release),
        Was::Newer => return end(release, Phase::Done),
        Was::Older { closed: true } => return end(release, Phase::RolledBack { why }),
        // A step that is still on its way must not bring it back.
        Was::Older { closed: false } => return Decision::Withdraw,
        Was::Ours { from, surge } => (from, surge),
    };
    let Some(missing) = count_well(facts, facts.replicas, NOWHERE).1 else {
        return Decision::Withdraw;
    };
    let slots = facts.replicas.saturating_add(surge);
    let carries = |index: u32| {
        let mut here = facts.live.iter().filter(|live| live.index == index);
        here.any(|live| live.healthy)
    };
    let wish = if from != NOWHERE && (facts.replicas..slots).all(carries) {
        from.max(facts.replicas)
    } else {
        NOWHERE
    };
    if from != wish {
        release.progress = Progress::default();
        return Decision::Move { from: wish, surge };
    }
    let (well, _) = count_well(facts, slots, wish);
    let settle_ms = release.plan.settle_ms;
    release.progress.look(well, slots, settle_ms, now_ms);
    // What cannot be made well must not keep the next release from beginning.
    if release.progress.stalled_ms(now_ms) >= release.plan.progress_ms {
        return Decision::Withdraw;
    }
    wait(&format!("slot {missing} is not back yet"))
}

fn wait(why: &str) -> Decision {
    Decision::Wait {
        why: why.to_owned(),
    }
}
