//! Dominant resource fairness: shares of what is held now, over several resources.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Amounts, DIMENSIONS, Discipline, Fifo, Work, dominant};

/// The tenant that holds least, for its weight, of the resource it holds most of goes next
/// (Ghodsi and others, NSDI 2011); of its work, what came first.
///
/// Work counts as held from `pop` until `ended` or `give_back`.
#[derive(Clone, Debug)]
pub struct Drf {
    capacity: Amounts,
    weights: BTreeMap<u32, u32>,
    tenants: BTreeMap<u32, Tenant>,
    /// Those with work, by their dominant share for their weight.
    active: BTreeSet<(u128, u32)>,
    owners: BTreeMap<u64, u32>,
}

#[derive(Clone, Debug, Default)]
struct Tenant {
    held: Amounts,
    queue: Fifo,
}

/// Keeps shares apart when they are divided by large weights.
const FINE: u128 = 1 << 20;

impl Drf {
    /// Shares of this capacity; a tenant without a weight has 1.
    #[must_use]
    pub fn new(capacity: Amounts, weights: BTreeMap<u32, u32>) -> Self {
        Self {
            capacity,
            weights,
            tenants: BTreeMap::new(),
            active: BTreeSet::new(),
            owners: BTreeMap::new(),
        }
    }

    /// What a tenant holds now.
    #[must_use]
    pub fn held(&self, tenant: u32) -> Amounts {
        self.tenants
            .get(&tenant)
            .map_or([0; DIMENSIONS], |t| t.held)
    }

    fn share(&self, id: u32, held: &Amounts) -> u128 {
        let weight = self.weights.get(&id).copied().unwrap_or(1).max(1);
        dominant(held, &self.capacity) * FINE / u128::from(weight)
    }

    /// Changes a tenant, and its place among those with work.
    fn change<R>(&mut self, id: u32, change: impl FnOnce(&mut Tenant) -> R) -> R {
        let mut tenant = self.tenants.remove(&id).unwrap_or_default();
        self.active.remove(&(self.share(id, &tenant.held), id));
        let result = change(&mut tenant);
        if !tenant.queue.is_empty() {
            self.active.insert((self.share(id, &tenant.held), id));
        }
        self.tenants.insert(id, tenant);
        result
    }

    fn release(&mut self, work: &Work) {
        self.change(work.tenant, |tenant| {
            for (held, amount) in tenant.held.iter_mut().zip(work.demand) {
                *held = held.saturating_sub(amount);
            }
        });
    }
}

impl Discipline for Drf {
    fn push(&mut self, work: Work) {
        self.remove(work.id);
        self.owners.insert(work.id, work.tenant);
        self.change(work.tenant, |tenant| tenant.queue.push(work));
    }

    fn pop(&mut self, now_ms: u64) -> Option<Work> {
        let &(_, id) = self.active.first()?;
        let work = self.change(id, |tenant| {
            let work = tenant.queue.pop(now_ms)?;
            for (held, amount) in tenant.held.iter_mut().zip(work.demand) {
                *held = held.saturating_add(amount);
            }
            Some(work)
        })?;
        self.owners.remove(&work.id);
        Some(work)
    }

    fn give_back(&mut self, work: Work) {
        self.release(&work);
        self.push(work);
    }

    fn ended(&mut self, work: &Work, _used_ms: u64) {
        self.release(work);
    }

    fn remove(&mut self, id: u64) -> Option<Work> {
        let owner = self.owners.remove(&id)?;
        self.change(owner, |tenant| tenant.queue.remove(id))
    }

    fn len(&self) -> usize {
        self.owners.len()
    }
}
