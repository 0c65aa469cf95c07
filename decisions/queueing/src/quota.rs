//! How much one may hold at a time.

use std::collections::BTreeMap;

use crate::{Amounts, DIMENSIONS};

/// It would hold more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "tenant {tenant} holds {held} of resource {kind} and may hold {limit}: \
     {wanted} more are {short} too many"
)]
pub struct OverQuota {
    /// Who.
    pub tenant: u32,
    /// The first kind of which it would hold too much.
    pub kind: usize,
    /// How much it may hold.
    pub limit: u64,
    /// How much it holds.
    pub held: u64,
    /// How much more it wants.
    pub wanted: u64,
    /// By how much that is too much.
    pub short: u64,
}

/// Limits for each tenant, and what each holds. A tenant without a limit may hold anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    limits: BTreeMap<u32, Amounts>,
    held: BTreeMap<u32, Amounts>,
}

impl Quotas {
    /// With these limits; nobody holds anything.
    #[must_use]
    pub fn new(limits: BTreeMap<u32, Amounts>) -> Self {
        Self {
            limits,
            held: BTreeMap::new(),
        }
    }

    /// What a tenant holds.
    #[must_use]
    pub fn held(&self, tenant: u32) -> Amounts {
        self.held.get(&tenant).copied().unwrap_or([0; DIMENSIONS])
    }

    /// Takes all of it, or nothing.
    ///
    /// # Errors
    /// [`OverQuota`] if it would hold more than it may.
    pub fn take(&mut self, tenant: u32, wanted: &Amounts) -> Result<(), OverQuota> {
        let held = self.held(tenant);
        let limit = self.limits.get(&tenant).copied();
        let limit = limit.unwrap_or([u64::MAX; DIMENSIONS]);
        for kind in 0..DIMENSIONS {
            let free = limit[kind].saturating_sub(held[kind]);
            if wanted[kind] > free {
                return Err(OverQuota {
                    tenant,
                    kind,
                    limit: limit[kind],
                    held: held[kind],
                    wanted: wanted[kind],
                    short: wanted[kind] - free,
                });
            }
        }
        let total = std::array::from_fn(|kind| held[kind] + wanted[kind]);
        self.held.insert(tenant, total);
        Ok(())
    }

    /// Gives back what was taken.
    pub fn release(&mut self, tenant: u32, amounts: &Amounts) {
        if let Some(held) = self.held.get_mut(&tenant) {
            for (held, amount) in held.iter_mut().zip(amounts) {
                *held = held.saturating_sub(*amount);
            }
        }
    }
}
