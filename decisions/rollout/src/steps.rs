//! Which steps a release takes.

use crate::Gates;

/// How the newer version takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Batch after batch.
    Rolling,
    /// A few slots first, each time for a while, then all.
    Canary(Vec<Hold>),
    /// A whole second set beside the first; the old one stays for a while.
    BlueGreen {
        /// For how long both are there, in milliseconds.
        keep_ms: u64,
    },
}

/// A part of the service, and for how long it is watched before more follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Percent of the replicas, 1 to 100.
    pub percent: u32,
    /// How long, in milliseconds.
    pub hold_ms: u64,
}

/// What a release is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How the newer version takes over.
    pub strategy: Strategy,
    /// Slots in one step; a tenth of the replicas and at least one when absent.
    pub batch: Option<u32>,
    /// For how long a step must be well before the next, in milliseconds.
    pub settle_ms: u64,
    /// How long no further slot may become well, in milliseconds; then the release goes back.
    pub progress_ms: u64,
    /// Whether steps follow each other without being asked to.
    pub automatic: bool,
    /// What the newer version has to keep to.
    pub gates: Gates,
}

/// Why a plan makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A batch of nothing.
    #[error("a batch has at least one slot")]
    Batch,
    /// A canary without steps, or with too many.
    #[error("a canary has 1 to 20 steps")]
    CanarySteps,
    /// Steps that are no percentages, or do not grow.
    #[error("the steps of a canary are percentages from 1 to 100, each larger than the one before")]
    Percent,
    /// No time for anything to start.
    #[error("a step needs at least a second to be well")]
    Progress,
}

impl Plan {
    /// A plan with what most releases want: a second to settle, a minute to be well, and on by
    /// itself.
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            batch: None,
            settle_ms: 1_000,
            progress_ms: 60_000,
            automatic: true,
            gates: Gates::default(),
        }
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.batch == Some(0) {
            return Err(PlanError::Batch);
        }
        if self.progress_ms < 1_000 {
            return Err(PlanError::Progress);
        }
        let Strategy::Canary(steps) = &self.strategy else {
            return Ok(());
        };
        if !(1..=20).contains(&steps.len()) {
            return Err(PlanError::CanarySteps);
        }
        let percentages = || steps.iter().map(|step| step.percent);
        let in_range = percentages().all(|percent| (1..=100).contains(&percent));
        let growing = steps
            .windows(2)
            .all(|pair| pair[0].percent < pair[1].percent);
        if in_range && growing {
            return Ok(());
        }
        Err(PlanError::Percent)
    }
}

/// Where one step leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Slots from this one on run the newer version.
    pub from: u32,
    /// How long it is watched, in milliseconds, from when it is well for the first time.
    pub hold_ms: u64,
}

/// All steps of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Slots beyond the replicas, from the first step to the last.
    pub surge: u32,
    /// In order, at least one; the last one leads to slot 0.
    pub targets: Vec<Target>,
}

impl Steps {
    /// A step by its number; the last one for any number beyond it.
    #[must_use]
    pub fn at(&self, step: u32) -> (Target, bool) {
        let last = self.targets.len().saturating_sub(1);
        let at = usize::try_from(step).unwrap_or(last).min(last);
        (self.targets[at], at == last)
    }
}

/// The steps of a plan for so many replicas. There are at least `surge_min` slots beyond them: what
/// is there already carries load, and goes only when all is over.
///
/// A canary and blue-green have the same steps for any number of replicas, also where two of them
/// come to the same slots: each is watched for its own time.
#[must_use]
pub fn targets(plan: &Plan, replicas: u32, surge_min: u32) -> Steps {
    let batch = batch(plan, replicas);
    let hold_ms = plan.settle_ms;
    let at = |from| Target { from, hold_ms };
    match &plan.strategy {
        Strategy::Rolling => {
            let batches = replicas.div_ceil(batch);
            let from = |batches: u32| replicas.saturating_sub(batches.saturating_mul(batch));
            Steps {
                surge: batch.max(surge_min),
                targets: (0..=batches).map(|batches| at(from(batches))).collect(),
            }
        }
        Strategy::Canary(steps) => {
            let surge = batch.max(surge_min);
            let step = |hold: &Hold| Target {
                // The slots beyond the replicas are the first of them.
                from: (replicas.saturating_add(surge))
                    .saturating_sub(share(replicas, hold.percent)),
                hold_ms: hold.hold_ms.max(hold_ms),
            };
            Steps {
                surge,
                targets: steps.iter().map(step).chain([at(0)]).collect(),
            }
        }
        Strategy::BlueGreen { keep_ms } => {
            let both = Target {
                from: replicas,
                hold_ms: (*keep_ms).max(hold_ms),
            };
            Steps {
                surge: replicas.max(1).max(surge_min),
                targets: vec![both, at(0)],
            }
        }
    }
}

/// The step that is as far as `step` was, now that `after` replicas are wished for instead of
/// `before`: at most the same share of them runs the newer version, so that no step is left out.
#[must_use]
pub fn rescaled(plan: &Plan, step: u32, before: u32, after: u32) -> u32 {
    if plan.strategy != Strategy::Rolling {
        return step;
    }
    let (batch_before, batch_after) = (batch(plan, before), batch(plan, after));
    let newer = step.saturating_mul(batch_before).min(before);
    let newer = u64::from(newer) * u64::from(after) / u64::from(before.max(1));
    let is_all = newer >= u64::from(after);
    let newer = u32::try_from(newer).unwrap_or(after);
    if is_all {
        newer.div_ceil(batch_after)
    } else {
        newer / batch_after
    }
}

/// Slots that are replaced at a time, and as many there are beyond the replicas meanwhile.
fn batch(plan: &Plan, replicas: u32) -> u32 {
    let wanted = plan.batch.unwrap_or(replicas / 10);
    wanted.clamp(1, replicas.max(1))
}

/// So many percent of the replicas, at least one.
fn share(replicas: u32, percent: u32) -> u32 {
    let share = (u64::from(replicas) * u64::from(percent)).div_ceil(100);
    u32::try_from(share).unwrap_or(replicas).max(1)
}
