//! What each tenant has, and whether it may have more.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Resources;

use crate::settings::{GPU_MILLI, INSTANCES, Settings};
use crate::task::Task;
use crate::verdict::{Change, Check, Filter, Margin};

/// What each tenant has, of all that a quota can name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage(BTreeMap<String, Resources>);

impl Usage {
    pub(crate) fn add(&mut self, task: &Task) {
        self.change(task, u64::saturating_add);
    }

    pub(crate) fn take(&mut self, task: &Task) {
        self.change(task, u64::saturating_sub);
    }

    fn change(&mut self, task: &Task, by: fn(u64, u64) -> u64) {
        if task.tenant.is_empty() {
            return;
        }
        let Resources(used) = self.0.entry(task.tenant.clone()).or_default();
        for (name, amount) in asked(task) {
            let known = used.entry(name.to_owned()).or_default();
            *known = by(*known, amount);
        }
    }

    /// Whether the quota allows one more.
    pub(crate) fn allows(&self, task: &Task, settings: &Settings) -> bool {
        let Some(quota) = settings.quotas.get(&task.tenant) else {
            return true;
        };
        let fits = |(name, amount): (&str, u64)| match quota.0.get(name) {
            Some(limit) => self.used(task, name).saturating_add(amount) <= *limit,
            None => true,
        };
        asked(task).all(fits)
    }

    /// What the quota says of one more, completely.
    pub(crate) fn check(&self, task: &Task, settings: &Settings) -> Check {
        let mut changes = Vec::new();
        let mut scarcest: Option<(u64, &str)> = None;
        let limits = settings.quotas.get(&task.tenant).into_iter();
        let limits = limits.flat_map(Resources::iter);
        for (name, limit) in limits {
            let asked = asked(task).find(|(asked, _)| *asked == name);
            let wanted = self
                .used(task, name)
                .saturating_add(asked.map_or(0, |(_, amount)| amount));
            match limit.checked_sub(wanted) {
                Some(left) if scarcest.is_none_or(|(least, _)| left < least) => {
                    scarcest = Some((left, name));
                }
                Some(_) => {}
                None => changes.push(Change::RaiseQuota {
                    tenant: task.tenant.clone(),
                    resource: name.into(),
                    amount: wanted - limit,
                }),
            }
        }
        let margin = scarcest.map_or(Margin::Free, |(amount, name)| Margin::Left {
            resource: Arc::from(name),
            amount,
        });
        Check {
            filter: Filter::Quota,
            outcome: if changes.is_empty() {
                Ok(margin)
            } else {
                Err(changes)
            },
        }
    }

    fn used(&self, task: &Task, name: &str) -> u64 {
        self.0.get(&task.tenant).map_or(0, |used| used.get(name))
    }
}

/// All that a quota can name.
fn asked(task: &Task) -> impl Iterator<Item = (&str, u64)> {
    let gpus = task.gpu.as_ref().map_or(0, |gpu| u64::from(gpu.milli));
    task.request
        .iter()
        .chain([(INSTANCES, 1), (GPU_MILLI, gpus)])
}
