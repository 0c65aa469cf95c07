//! A release as it is kept, and as it is shown.

use std::collections::BTreeMap;

use release::limits::LOG_MAX;
use release::{CreateArgs, LogEntry, Program, ReleaseInfo, Strategy, Version};
use rollout::{Gates, Hold, Phase, Plan, Progress, Release, targets};
use serde::{Deserialize, Serialize};

/// A release, with everything that has to survive.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) service: String,
    pub(crate) from: Version,
    pub(crate) to: Version,
    pub(crate) by: String,
    pub(crate) created_ms: u64,
    /// By which `scheduling` knows what of it comes late.
    pub(crate) fence: u64,
    pub(crate) release: Release,
    pub(crate) changes: u64,
    pub(crate) log: Vec<LogEntry>,
}

/// The same in plain words, for the disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: u64,
    service: String,
    from: KeptVersion,
    to: KeptVersion,
    by: String,
    created_ms: u64,
    #[serde(default)]
    fence: u64,
    replicas: u32,
    plan: KeptPlan,
    phase: String,
    why: String,
    paused: bool,
    step: u32,
    advance: bool,
    #[serde(default)]
    progress: KeptProgress,
    changes: u64,
    log: Vec<(u64, String)>,
}

#[derive(Serialize, Deserialize)]
struct KeptVersion {
    cargo: Option<(String, String)>,
    command: Option<(String, Vec<String>)>,
    env: BTreeMap<String, String>,
}

#[derive(Default, Serialize, Deserialize)]
struct KeptProgress {
    since_ms: Option<u64>,
    best: u32,
    reached_ms: Option<u64>,
    well_since_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct KeptPlan {
    canary: Vec<(u32, u64)>,
    keep_ms: Option<u64>,
    batch: Option<u32>,
    settle_ms: u64,
    progress_ms: u64,
    automatic: bool,
    gates: (u64, u64, u64, u64, u64),
}

impl Record {
    /// Takes note of something.
    pub(crate) fn note(&mut self, at_ms: u64, what: impl Into<String>) {
        let what = what.into();
        self.changes += 1;
        self.log.push(LogEntry { at_ms, what });
        if self.log.len() > LOG_MAX {
            self.log.remove(0);
        }
    }

    /// How it is named to people and to `scheduling`.
    pub(crate) fn label(&self) -> String {
        label(self.id)
    }

    pub(crate) fn info(&self, waiting: &str) -> ReleaseInfo {
        let (phase, why) = words(&self.release.phase);
        let steps = targets(&self.release.plan, self.release.replicas, 0)
            .targets
            .len();
        ReleaseInfo {
            id: self.label(),
            service: self.service.clone(),
            phase: phase.to_owned(),
            why: why.to_owned(),
            paused: self.release.paused,
            step: self.release.step + 1,
            steps: u32::try_from(steps).unwrap_or(u32::MAX),
            waiting: waiting.to_owned(),
            from: self.from.clone(),
            to: self.to.clone(),
            by: self.by.clone(),
            created_ms: self.created_ms,
            changes: self.changes,
            log: self.log.clone(),
        }
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let (phase, why) = words(&self.release.phase);
        let log = self
            .log
            .iter()
            .map(|entry| (entry.at_ms, entry.what.clone()));
        serde_json::to_vec(&Kept {
            id: self.id,
            service: self.service.clone(),
            from: keep(&self.from),
            to: keep(&self.to),
            by: self.by.clone(),
            created_ms: self.created_ms,
            fence: self.fence,
            replicas: self.release.replicas,
            plan: keep_plan(&self.release.plan),
            phase: phase.to_owned(),
            why: why.to_owned(),
            paused: self.release.paused,
            step: self.release.step,
            advance: self.release.advance,
            progress: keep_progress(&self.release.progress),
            changes: self.changes,
            log: log.collect(),
        })
    }

    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let kept: Kept = serde_json::from_slice(bytes)?;
        let why = kept.why;
        let phase = match kept.phase.as_str() {
            "running" => Phase::Running,
            "rolling-back" => Phase::RollingBack { why },
            "done" => Phase::Done,
            "rolled-back" => Phase::RolledBack { why },
            _ => Phase::Superseded { why },
        };
        let log = kept
            .log
            .into_iter()
            .map(|(at_ms, what)| LogEntry { at_ms, what });
        Ok(Self {
            id: kept.id,
            service: kept.service,
            from: found(kept.from),
            to: found(kept.to),
            by: kept.by,
            created_ms: kept.created_ms,
            fence: kept.fence,
            release: Release {
                plan: found_plan(kept.plan),
                phase,
                paused: kept.paused,
                step: kept.step,
                replicas: kept.replicas,
                advance: kept.advance,
                progress: found_progress(&kept.progress),
            },
            changes: kept.changes,
            log: log.collect(),
        })
    }
}

pub(crate) fn label(id: u64) -> String {
    format!("r-{id}")
}

fn words(phase: &Phase) -> (&'static str, &str) {
    match phase {
        Phase::Running => ("running", ""),
        Phase::RollingBack { why } => ("rolling-back", why),
        Phase::Done => ("done", ""),
        Phase::RolledBack { why } => ("rolled-back", why),
        Phase::Superseded { why } => ("superseded", why),
    }
}

fn keep(version: &Version) -> KeptVersion {
    let (cargo, command) = match version.program.clone() {
        Program::Cargo {
            manifest_path,
            bin_name,
        } => (Some((manifest_path, bin_name)), None),
        Program::Command { program, args } => (None, Some((program, args))),
    };
    let env = version.env.clone();
    KeptVersion {
        cargo,
        command,
        env,
    }
}

fn found(kept: KeptVersion) -> Version {
    let program = match (kept.cargo, kept.command) {
        (Some((manifest_path, bin_name)), _) => Program::Cargo {
            manifest_path,
            bin_name,
        },
        (None, command) => {
            let (program, args) = command.unwrap_or_default();
            Program::Command { program, args }
        }
    };
    let env = kept.env;
    Version { program, env }
}

fn keep_progress(progress: &Progress) -> KeptProgress {
    KeptProgress {
        since_ms: progress.since_ms,
        best: progress.best,
        reached_ms: progress.reached_ms,
        well_since_ms: progress.well_since_ms,
    }
}

fn found_progress(kept: &KeptProgress) -> Progress {
    Progress {
        since_ms: kept.since_ms,
        best: kept.best,
        reached_ms: kept.reached_ms,
        well_since_ms: kept.well_since_ms,
    }
}

fn keep_plan(plan: &Plan) -> KeptPlan {
    let (canary, keep_ms) = match &plan.strategy {
        rollout::Strategy::Rolling => (Vec::new(), None),
        rollout::Strategy::Canary(holds) => (
            holds
                .iter()
                .map(|hold| (hold.percent, hold.hold_ms))
                .collect(),
            None,
        ),
        rollout::Strategy::BlueGreen { keep_ms } => (Vec::new(), Some(*keep_ms)),
    };
    let gates = plan.gates;
    KeptPlan {
        canary,
        keep_ms,
        batch: plan.batch,
        settle_ms: plan.settle_ms,
        progress_ms: plan.progress_ms,
        automatic: plan.automatic,
        gates: (
            gates.calls_min,
            gates.errors_permille_max,
            gates.errors_permille_more,
            gates.p99_times,
            gates.p99_more_us,
        ),
    }
}

fn found_plan(kept: KeptPlan) -> Plan {
    let hold = |(percent, hold_ms): (u32, u64)| Hold { percent, hold_ms };
    let strategy = match kept.keep_ms {
        Some(keep_ms) => rollout::Strategy::BlueGreen { keep_ms },
        None if kept.canary.is_empty() => rollout::Strategy::Rolling,
        None => rollout::Strategy::Canary(kept.canary.into_iter().map(hold).collect()),
    };
    let gates = kept.gates;
    Plan {
        strategy,
        batch: kept.batch,
        settle_ms: kept.settle_ms,
        progress_ms: kept.progress_ms,
        automatic: kept.automatic,
        gates: Gates {
            calls_min: gates.0,
            errors_permille_max: gates.1,
            errors_permille_more: gates.2,
            p99_times: gates.3,
            p99_more_us: gates.4,
        },
    }
}

/// The plan that was asked for.
pub(crate) fn plan_of(args: &CreateArgs) -> Plan {
    let strategy = match &args.strategy {
        Strategy::Rolling => rollout::Strategy::Rolling,
        Strategy::Canary(steps) => rollout::Strategy::Canary(
            steps
                .iter()
                .map(|step| Hold {
                    percent: step.percent,
                    hold_ms: step.hold_ms,
                })
                .collect(),
        ),
        Strategy::BlueGreen { keep_ms } => rollout::Strategy::BlueGreen { keep_ms: *keep_ms },
    };
    let usual = Plan::new(strategy);
    let gates = args.gates.map_or(usual.gates, |gates| Gates {
        calls_min: gates.calls_min,
        errors_permille_max: gates.errors_permille_max,
        errors_permille_more: gates.errors_permille_more,
        p99_times: gates.p99_times,
        p99_more_us: gates.p99_more_us,
    });
    Plan {
        batch: args.batch,
        settle_ms: args.settle_ms.unwrap_or(usual.settle_ms),
        progress_ms: args.progress_ms.unwrap_or(usual.progress_ms),
        automatic: !args.by_hand,
        gates,
        ..usual
    }
}
