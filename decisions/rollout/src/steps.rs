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
    /// How long a step may take to be well, in milliseconds; then the release goes back.
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
    /// How long it is watched, in milliseconds, once it is well.
    pub hold_ms: u64,
}

/// All steps of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Slots beyond the replicas, from the first step to the last.
    pub surge: u32,
    /// In order; the last one leads to slot 0.
    pub targets: Vec<Target>,
}

/// The steps of a plan for so many replicas.
#[must_use]
pub fn targets(plan: &Plan, replicas: u32) -> Steps {
    let batch = plan
        .batch
        .unwrap_or(replicas / 10)
        .clamp(1, replicas.max(1));
    let hold_ms = plan.settle_ms;
    let at = |from| Target { from, hold_ms };
    match &plan.strategy {
        Strategy::Rolling => {
            let mut targets = vec![at(replicas)];
            let mut from = replicas;
            while from > 0 {
                from = from.saturating_sub(batch);
                targets.push(at(from));
            }
            Steps {
                surge: batch,
                targets,
            }
        }
        Strategy::Canary(steps) => {
            let step = |hold: &Hold| {
                let share = u64::from(replicas) * u64::from(hold.percent);
                let count = u32::try_from(share.div_ceil(100))
                    .unwrap_or(replicas)
                    .max(1);
                Target {
                    // The slot beyond the replicas is one of them.
                    from: (replicas + 1).saturating_sub(count).min(replicas),
                    hold_ms: hold.hold_ms.max(hold_ms),
                }
            };
            let mut targets: Vec<Target> = steps.iter().map(step).collect();
            targets.dedup_by_key(|target| target.from);
            if targets.last().is_none_or(|last| last.from > 0) {
                targets.push(at(0));
            }
            Steps { surge: 1, targets }
        }
        Strategy::BlueGreen { keep_ms } => {
            let both = Target {
                from: replicas,
                hold_ms: (*keep_ms).max(hold_ms),
            };
            let mut targets = vec![both];
            if replicas > 0 {
                targets.push(at(0));
            }
            Steps {
                surge: replicas.max(1),
                targets,
            }
        }
    }
}
