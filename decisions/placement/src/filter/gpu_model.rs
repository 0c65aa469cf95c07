//! The machine's graphics processors are of a model that will do.

use crate::cluster::node::Profile;
use crate::cluster::shape::Shape;
use crate::verdict::{Change, Margin, Verdict};

pub(super) fn check(shape: &Shape, profile: &Profile) -> Verdict {
    let gpus = &profile.facts.gpus;
    match &shape.task.gpu {
        Some(wanted) if wanted.milli > 0 => {
            let any = wanted.models.is_empty() || wanted.models.contains(&gpus.model);
            if gpus.count > 0 && any {
                return Ok(Margin::Free);
            }
            let offered = if gpus.count > 0 {
                gpus.model.clone()
            } else {
                String::new()
            };
            Err(Change::GpuModel(offered))
        }
        _ => Ok(Margin::Free),
    }
}
