//! The machine's taints are tolerated.

use model::{Effect, Taint, Toleration};

use crate::cluster::node::Profile;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, profile: &Profile) -> Verdict {
    keeping_off(shape, profile)
        .next()
        .map_or(Ok(Margin::Free), Err)
}

/// Every taint that is not tolerated.
pub(super) fn changes(shape: &Shape, profile: &Profile) -> Vec<Change> {
    keeping_off(shape, profile).collect()
}

fn keeping_off(shape: &Shape, profile: &Profile) -> impl Iterator<Item = Change> {
    let keeps_off = |taint: &&Taint| {
        taint.effect != Effect::PreferNoSchedule && !tolerated(&shape.task.tolerations, taint)
    };
    let taints = profile.facts.taints.iter().filter(keeps_off);
    taints.map(|taint| Change::Tolerate(taint.clone()))
}

/// Whether one of the tolerations covers the taint.
pub(crate) fn tolerated(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| {
        toleration.key.as_ref().is_none_or(|key| *key == taint.key)
            && toleration
                .value
                .as_ref()
                .is_none_or(|value| *value == taint.value)
            && toleration
                .effect
                .is_none_or(|effect| effect == taint.effect)
    })
}
