//! A newer version's way through a service.

use std::collections::BTreeMap;

use model::{Artifact, Next, Revision, ServiceName, ServiceSpec, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::Ledger;
use crate::command::{checked, fresh_revision, spec_of};
use crate::{Change, CommandError, EventKind, Snapshot, Subject, Write};

/// One step of a newer version's way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollStep {
    /// It begins. Nothing happens if it is on its way already, wherever it is.
    Begin {
        /// What to run.
        artifact: Artifact,
        /// With which environment.
        env: BTreeMap<String, String>,
        /// From which slot on.
        from: u32,
        /// How many more slots there are meanwhile.
        surge: u32,
        /// The revision of the spec that it is to follow.
        onto: Revision,
    },
    /// It is on its way and goes further, or back.
    Move {
        /// From which slot on; beyond the last one: nowhere.
        from: u32,
        /// How many more slots there are meanwhile.
        surge: u32,
    },
    /// It is the version from now on, everywhere; it has to run in every slot already.
    Promote,
    /// It never was, and cannot begin any more.
    Withdraw,
}

/// Who rolls a version out.
pub(crate) struct Roller {
    pub(crate) by: String,
    pub(crate) fence: u64,
}

impl Roller {
    fn is_of(&self, next: &Next) -> bool {
        next.by == self.by && next.fence == self.fence
    }

    fn overtaken(&self, service: &ServiceName, why: String) -> CommandError {
        CommandError::Overtaken {
            service: service.clone(),
            by: self.by.clone(),
            why,
        }
    }
}

/// What becomes of a version that is on its way when a spec is applied: whoever wishes for another
/// process puts an end to it, and whoever only scales does not.
pub(crate) fn apply(old: Option<&ServiceSpec>, spec: &mut ServiceSpec) {
    let Some(old) = old else {
        spec.next = None;
        spec.rolled = 0;
        return;
    };
    spec.rolled = old.rolled;
    if spec.revision == old.revision {
        spec.next.clone_from(&old.next);
        rescale(spec, old.replicas);
    } else {
        spec.next = None;
        let ended = old.next.as_ref().map_or(0, |next| next.fence);
        spec.rolled = spec.rolled.max(ended);
    }
}

/// Keeps the share of the slots that run a newer version, now that there are not `before` replicas.
pub(crate) fn rescale(spec: &mut ServiceSpec, before: u32) {
    if let Some(next) = &mut spec.next {
        **next = next.rescaled(before, spec.replicas);
    }
}

pub(crate) fn roll(
    snapshot: &mut Snapshot,
    service: &ServiceName,
    roller: &Roller,
    step: RollStep,
    now: Timestamp,
) -> Result<Vec<Change>, CommandError> {
    let old = spec_of(snapshot, service)?;
    let ours = old.next.as_ref().is_some_and(|next| roller.is_of(next));
    if let Some(next) = old.next.as_ref().filter(|_| !ours) {
        let (service, by) = (service.clone(), next.by.clone());
        return Err(CommandError::RolledByOther { service, by });
    }
    let spec = match step {
        RollStep::Begin { .. } => begin(snapshot, &old, roller, step)?,
        RollStep::Move { from, surge } => moved(&old, roller, from, surge)?,
        RollStep::Promote => promoted(&old, roller)?,
        RollStep::Withdraw => ServiceSpec {
            next: None,
            rolled: old.rolled.max(roller.fence),
            ..old.clone()
        },
    };
    if spec == old {
        return Ok(Vec::new());
    }
    checked(&spec)?;
    Ok(write(snapshot, &old, spec, now))
}

fn begin(
    snapshot: &Snapshot,
    old: &ServiceSpec,
    roller: &Roller,
    step: RollStep,
) -> Result<ServiceSpec, CommandError> {
    let mut spec = old.clone();
    let RollStep::Begin {
        artifact,
        env,
        from,
        surge,
        onto,
    } = step
    else {
        return Ok(spec);
    };
    if old.next.is_some() {
        return Ok(spec);
    }
    if roller.fence <= old.rolled {
        let why = "it is over, or a later one is".to_owned();
        return Err(roller.overtaken(&old.name, why));
    }
    if onto != old.revision {
        let why = format!("it is at revision {}, not {}", old.revision.0, onto.0);
        return Err(roller.overtaken(&old.name, why));
    }
    spec.next = Some(Box::new(Next {
        by: roller.by.clone(),
        fence: roller.fence,
        artifact,
        env,
        from,
        surge,
        revision: fresh_revision(snapshot, &old.name),
    }));
    Ok(spec)
}

fn moved(
    old: &ServiceSpec,
    roller: &Roller,
    from: u32,
    surge: u32,
) -> Result<ServiceSpec, CommandError> {
    let mut spec = old.clone();
    let Some(next) = &mut spec.next else {
        let why = "its version is not on its way".to_owned();
        return Err(roller.overtaken(&old.name, why));
    };
    (next.from, next.surge) = (from, surge);
    Ok(spec)
}

fn promoted(old: &ServiceSpec, roller: &Roller) -> Result<ServiceSpec, CommandError> {
    let mut spec = old.clone();
    // A step that was made already: its answer was lost.
    let Some(next) = spec.next.take() else {
        return Ok(spec);
    };
    if next.from > 0 {
        let why = format!("only slots from {} on run its version", next.from);
        return Err(roller.overtaken(&old.name, why));
    }
    spec.artifact = next.artifact;
    spec.env = next.env;
    spec.revision = next.revision;
    spec.rolled = old.rolled.max(next.fence);
    Ok(spec)
}

fn write(
    snapshot: &mut Snapshot,
    old: &ServiceSpec,
    spec: ServiceSpec,
    now: Timestamp,
) -> Vec<Change> {
    let first = |spec: &ServiceSpec| spec.next.as_ref().map(|next| next.from);
    let changed_from = first(old).into_iter().chain(first(&spec)).min();
    let why = match &spec.next {
        Some(next) => format!(
            "{} rolls out revision {}, from slot {} on",
            next.by, next.revision.0, next.from
        ),
        None => format!("revision {} everywhere", spec.revision.0),
    };
    let mut ledger = Ledger::new(snapshot, now);
    if let Some(changed_from) = changed_from {
        ledger.forgive(&spec.name, changed_from);
    }
    let subject = Subject::Service(spec.name.clone());
    let write = Write::PutSpec(Box::new(spec));
    ledger.tell(write, subject, EventKind::Applied, why);
    ledger.finish()
}
