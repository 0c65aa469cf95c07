//! What is to be done.

use queueing::Work;

use super::ResourceRequest;

/// Unique among all jobs of a scheduler.
pub type JobId = u64;

/// Work that belongs to a satellite's pass, and is worth nothing after its deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassWindowJob {
    /// Unique.
    pub id: JobId,
    /// Whose share it is counted to, and where it runs if it can.
    pub region: String,
    /// 0: alerts, 1: pass windows, 2: batch. What is above 2 is batch.
    pub priority_class: u8,
    /// When it has to be done, in milliseconds of the scheduler's [`Clock`](super::Clock).
    pub deadline: u64,
    /// How long it runs, in milliseconds.
    pub estimated_runtime: u64,
    /// What it holds while it runs.
    pub req: ResourceRequest,
    /// Only machines that carry all of them are considered, such as the station of the pass.
    pub required_tags: Vec<String>,
    /// Since when it waits, in milliseconds of the scheduler's clock.
    pub submitted_at: u64,
}

impl PassWindowJob {
    pub(crate) fn work(&self, region: u32) -> Work {
        let ResourceRequest {
            cpu_millicores,
            memory_mb,
            gpu_count,
        } = self.req;
        Work {
            id: self.id,
            tenant: region,
            class: self.priority_class.min(2),
            submitted_ms: self.submitted_at,
            deadline_ms: self.deadline,
            runtime_ms: self.estimated_runtime,
            demand: [cpu_millicores.into(), memory_mb.into(), gpu_count.into(), 0],
        }
    }
}

/// A job that waits or runs: its tenant is its region, by number, and its pool are the machines
/// that carry its tags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) work: Work,
    pub(crate) pool: u32,
}

impl Task {
    /// Alerts may use the headroom, and take the place of others.
    pub(crate) fn is_alert(&self) -> bool {
        self.work.class == 0
    }

    pub(crate) fn req(&self) -> ResourceRequest {
        let amount = |kind: usize| u32::try_from(self.work.demand[kind]).unwrap_or(u32::MAX);
        ResourceRequest {
            cpu_millicores: amount(0),
            memory_mb: amount(1),
            gpu_count: amount(2),
        }
    }
}
