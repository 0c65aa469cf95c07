//! Weighted fair shares of what is consumed over time.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Amounts, Discipline, Work, dominant};

/// The tenant that consumed least for its weight goes next; which of its work, its own queue says.
///
/// Each tenant has a virtual clock that runs by what it consumes (its dominant share of the
/// capacity, times milliseconds) over its weight; the slowest clock goes next. A tenant that had
/// nothing to do gets no credit for it: its clock is set to where the others are (start-time fair
/// queueing, Goyal, Vin and Cheng 1996). Between two tenants that always have work waiting, what
/// they got for their weight differs by no more than one piece of work of each.
#[derive(Clone, Debug)]
pub struct FairShare<D> {
    capacity: Amounts,
    weights: BTreeMap<u32, u32>,
    empty: D,
    tenants: BTreeMap<u32, Tenant<D>>,
    /// Those with work, by their clock.
    active: BTreeSet<(u128, u32)>,
    now: u128,
    owners: BTreeMap<u64, u32>,
}

#[derive(Clone, Debug)]
struct Tenant<D> {
    clock: u128,
    queue: D,
}

/// A clock's smallest step, so that a large weight still moves it.
const FINE: u128 = 1 << 20;

impl<D: Discipline + Clone> FairShare<D> {
    /// Shares of this capacity; a tenant without a weight has 1. `empty` is what each tenant's work
    /// waits in.
    #[must_use]
    pub fn new(capacity: Amounts, weights: BTreeMap<u32, u32>, empty: D) -> Self {
        Self {
            capacity,
            weights,
            empty,
            tenants: BTreeMap::new(),
            active: BTreeSet::new(),
            now: 0,
            owners: BTreeMap::new(),
        }
    }

    fn cost(&self, work: &Work, used_ms: u64) -> u128 {
        let weight = self.weights.get(&work.tenant).copied().unwrap_or(1).max(1);
        let share = dominant(&work.demand, &self.capacity).max(1);
        share * u128::from(used_ms) * FINE / u128::from(weight)
    }

    fn set_clock(&mut self, id: u32, change: impl FnOnce(u128) -> u128) {
        let Some(tenant) = self.tenants.get_mut(&id) else {
            return;
        };
        let was = self.active.remove(&(tenant.clock, id));
        tenant.clock = change(tenant.clock);
        if was {
            self.active.insert((tenant.clock, id));
        }
    }
}

impl<D: Discipline + Clone> Discipline for FairShare<D> {
    fn push(&mut self, work: Work) {
        self.remove(work.id);
        self.owners.insert(work.id, work.tenant);
        let (empty, now) = (&self.empty, self.now);
        let tenant = self.tenants.entry(work.tenant).or_insert_with(|| Tenant {
            clock: now,
            queue: empty.clone(),
        });
        if tenant.queue.is_empty() {
            tenant.clock = tenant.clock.max(now);
            self.active.insert((tenant.clock, work.tenant));
        }
        tenant.queue.push(work);
    }

    fn pop(&mut self, now_ms: u64) -> Option<Work> {
        let (clock, id) = self.active.pop_first()?;
        let tenant = self.tenants.get_mut(&id)?;
        let work = tenant.queue.pop(now_ms);
        let more = !tenant.queue.is_empty();
        self.now = self.now.max(clock);
        if more {
            self.active.insert((clock, id));
        }
        let work = work?;
        self.owners.remove(&work.id);
        let cost = self.cost(&work, work.runtime_ms);
        self.set_clock(id, |clock| clock + cost);
        Some(work)
    }

    fn give_back(&mut self, work: Work) {
        let cost = self.cost(&work, work.runtime_ms);
        self.set_clock(work.tenant, |clock| clock.saturating_sub(cost));
        self.push(work);
    }

    fn ended(&mut self, work: &Work, used_ms: u64) {
        let expected = self.cost(work, work.runtime_ms);
        let used = self.cost(work, used_ms);
        self.set_clock(work.tenant, |clock| (clock + used).saturating_sub(expected));
        if let Some(tenant) = self.tenants.get_mut(&work.tenant) {
            tenant.queue.ended(work, used_ms);
        }
    }

    fn remove(&mut self, id: u64) -> Option<Work> {
        let owner = self.owners.remove(&id)?;
        let tenant = self.tenants.get_mut(&owner)?;
        let work = tenant.queue.remove(id);
        if tenant.queue.is_empty() {
            self.active.remove(&(tenant.clock, owner));
        }
        work
    }

    fn len(&self) -> usize {
        self.owners.len()
    }
}
