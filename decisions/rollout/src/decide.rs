//! What to do next.

use crate::{Plan, Stats, judge, targets};

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
    /// Whether it stays where it is.
    pub paused: bool,
    /// Which of the plan's targets it is at.
    pub step: u32,
    /// Whether somebody asked for the next step.
    pub advance: bool,
    /// Since when it is at this step.
    pub step_since_ms: u64,
    /// Since when everything at this step is well.
    pub well_since_ms: Option<u64>,
}

impl Release {
    /// One that begins now.
    #[must_use]
    pub fn new(plan: Plan, now_ms: u64) -> Self {
        Self {
            plan,
            phase: Phase::Running,
            paused: false,
            step: 0,
            advance: false,
            step_since_ms: now_ms,
            well_since_ms: None,
        }
    }

    /// The same, on its way back from now on. One that is over stays as it is.
    #[must_use]
    pub fn back(mut self, why: &str, now_ms: u64) -> Self {
        if self.phase == Phase::Running {
            self.phase = Phase::RollingBack {
                why: why.to_owned(),
            };
            self.paused = false;
            self.step_since_ms = now_ms;
            self.well_since_ms = None;
        }
        self
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
    Older,
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
    /// Have slots from `from` on run the newer version, with so many beyond the replicas.
    Run {
        /// From which slot on.
        from: u32,
        /// How many slots beyond the replicas.
        surge: u32,
    },
    /// Make the newer version the version.
    Promote,
    /// Forget the newer version.
    Withdraw,
    /// Look again later.
    Wait {
        /// What for.
        why: String,
    },
    /// Nothing more: it is over.
    End,
}

/// Failures of the newer version that are too many: one start may go wrong for a reason of its own.
const FAILURES_MAX: u32 = 2;
/// No slot at all.
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
    let steps = targets(&release.plan, facts.replicas);
    let last = steps.targets.len().saturating_sub(1);
    let at = usize::try_from(release.step).unwrap_or(last).min(last);
    let target = steps.targets[at];
    let wish = Decision::Run {
        from: target.from,
        surge: steps.surge,
    };
    match facts.was {
        Was::Other => return superseded(release),
        Was::Newer => return end(release, Phase::Done),
        // Begun, and not known there yet.
        Was::Older => return wish,
        Was::Ours { .. } if release.paused => return wait("it is paused"),
        Was::Ours { from, surge } if (from, surge) != (target.from, steps.surge) => return wish,
        Was::Ours { .. } => {}
    }
    if let Some(why) = trouble(release, facts) {
        return turn_back(release, &why, steps.surge, now_ms);
    }
    let slots = facts.replicas.saturating_add(steps.surge);
    if let Some(missing) = first_missing(facts, slots, target.from) {
        release.well_since_ms = None;
        let since = now_ms.saturating_sub(release.step_since_ms);
        if since >= release.plan.progress_ms {
            let why = format!("slot {missing} is not healthy after {since} ms");
            return turn_back(release, &why, steps.surge, now_ms);
        }
        return wait(&format!("slot {missing} is not healthy yet"));
    }
    let well_since = *release.well_since_ms.get_or_insert(now_ms);
    let settled = now_ms.saturating_sub(well_since) >= target.hold_ms;
    let may_go_on = release.advance || (settled && release.plan.automatic);
    if !may_go_on {
        return wait(if settled {
            "it is to be advanced by hand"
        } else {
            "it settles"
        });
    }
    release.advance = false;
    if at == last {
        return Decision::Promote;
    }
    release.step = u32::try_from(at + 1).unwrap_or(release.step);
    release.step_since_ms = now_ms;
    release.well_since_ms = None;
    Decision::Run {
        from: steps.targets[at + 1].from,
        surge: steps.surge,
    }
}

fn trouble(release: &Release, facts: &Facts) -> Option<String> {
    let failures = facts.reported.failures;
    if failures >= FAILURES_MAX {
        return Some(format!(
            "{failures} instances of the newer version ended unasked"
        ));
    }
    judge(&release.plan.gates, &facts.old, &facts.new)
}

/// The first slot that has no healthy instance of the version that it should run.
fn first_missing(facts: &Facts, slots: u32, from: u32) -> Option<u32> {
    let well = |index: u32| {
        let mut here = facts.live.iter().filter(|live| live.index == index);
        here.any(|live| live.healthy && live.newer == (index >= from))
    };
    (0..slots).rev().find(|index| !well(*index))
}

/// Nowhere, with the same slots beyond the replicas: they carry the load while others go back.
fn turn_back(release: &mut Release, why: &str, surge: u32, now_ms: u64) -> Decision {
    *release = release.clone().back(why, now_ms);
    Decision::Run {
        from: NOWHERE,
        surge,
    }
}

fn backward(release: &mut Release, why: &str, facts: &Facts, now_ms: u64) -> Decision {
    let why = why.to_owned();
    let surge = match facts.was {
        Was::Other => return superseded(release),
        Was::Newer => return end(release, Phase::Done),
        Was::Older => return end(release, Phase::RolledBack { why }),
        Was::Ours {
            from: NOWHERE,
            surge,
        } => surge,
        Was::Ours { surge, .. } => {
            return Decision::Run {
                from: NOWHERE,
                surge,
            };
        }
    };
    let slots = facts.replicas.saturating_add(surge);
    let Some(missing) = first_missing(facts, slots, NOWHERE) else {
        return Decision::Withdraw;
    };
    // What cannot be made well must not keep the next release from beginning.
    if now_ms.saturating_sub(release.step_since_ms) >= release.plan.progress_ms {
        return Decision::Withdraw;
    }
    wait(&format!("slot {missing} is not back yet"))
}

fn wait(why: &str) -> Decision {
    Decision::Wait {
        why: why.to_owned(),
    }
}
