//! How much of one machine is taken: one word, changed by compare-and-swap.
//!
//! All that a commit must decide (does it still fit?) and change (take it) is in these 64 bits, so
//! workers need no lock and no version: a word that reads the same is the same state.

use super::request::ResourceRequest;
use super::sync::{AtomicU64, Ordering};

const CPU_BITS: u32 = 24;
const MEMORY_BITS: u32 = 28;
const GPU_BITS: u32 = 12;

/// The largest machine that can be counted: 16,777 cores, 256 TiB and 4,095 devices.
pub(crate) const LARGEST: ResourceRequest = ResourceRequest {
    cpu_millicores: (1 << CPU_BITS) - 1,
    memory_mb: (1 << MEMORY_BITS) - 1,
    gpu_count: (1 << GPU_BITS) - 1,
};

/// What is taken of a machine.
#[derive(Debug)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn used(&self) -> ResourceRequest {
        unpack(self.0.load(Ordering::Acquire))
    }

    /// Takes all of it if no more than `limit` is taken then, and nothing otherwise. `limit` is at
    /// most [`LARGEST`].
    pub(crate) fn take(&self, request: &ResourceRequest, limit: &ResourceRequest) -> bool {
        self.change(|used| {
            let total = used.plus(request);
            total.fits(limit).then_some(total)
        })
    }

    /// Gives back what was taken.
    pub(crate) fn give(&self, request: &ResourceRequest) {
        self.change(|used| Some(used.minus(request)));
    }

    fn change(&self, next: impl Fn(ResourceRequest) -> Option<ResourceRequest>) -> bool {
        let next = |seen: u64| next(unpack(seen)).as_ref().map(pack);
        let changed = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        changed.is_ok()
    }
}

fn pack(amounts: &ResourceRequest) -> u64 {
    u64::from(amounts.cpu_millicores)
        | u64::from(amounts.memory_mb) << CPU_BITS
        | u64::from(amounts.gpu_count) << (CPU_BITS + MEMORY_BITS)
}

fn unpack(word: u64) -> ResourceRequest {
    let field = |shift: u32, bits: u32| ((word >> shift) & ((1 << bits) - 1)) as u32;
    ResourceRequest {
        cpu_millicores: field(0, CPU_BITS),
        memory_mb: field(CPU_BITS, MEMORY_BITS),
        gpu_count: field(CPU_BITS + MEMORY_BITS, GPU_BITS),
    }
}
