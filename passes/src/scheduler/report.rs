//! What is told about jobs.

use std::sync::Arc;

use super::JobId;

/// A job was given a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Which.
    pub job: JobId,
    /// Where.
    pub machine: Arc<str>,
    /// When it starts: at once, or when those that it displaced had their time to stop.
    pub start_ms: u64,
    /// When it is expected to be done.
    pub end_ms: u64,
}

/// A job lost its place to an alert, and waits again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preemption {
    /// Who lost its place.
    pub job: JobId,
    /// Where it ran.
    pub machine: Arc<str>,
    /// To whom.
    pub by: JobId,
    /// How long it may take to stop: nothing for batch, 30 s for a pass.
    pub grace_ms: u64,
}

/// A running job goes to another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Which.
    pub job: JobId,
    /// Where it ran.
    pub from: Arc<str>,
    /// Where it goes on from its checkpoint.
    pub to: Arc<str>,
    /// So much later it will be done for it, in milliseconds.
    pub cost_ms: u64,
}

/// What a tick decided. Whoever runs jobs makes it so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TickReport {
    /// What starts.
    pub placed: Vec<Placement>,
    /// What was done by now. Only where ends are estimated.
    pub completed: Vec<JobId>,
    /// What left the queue because it can no longer be in time.
    pub missed: Vec<JobId>,
    /// What has to stop.
    pub preempted: Vec<Preemption>,
    /// What has to move.
    pub migrated: Vec<Migration>,
}

/// Counts since the scheduler began, and how many wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchedulerMetrics {
    /// Jobs that were submitted, the rejected ones too.
    pub total_submitted: u64,
    /// Jobs that were not accepted.
    pub total_rejected: u64,
    /// Starts.
    pub total_dispatched: u64,
    /// Jobs that are done.
    pub total_completed: u64,
    /// Accepted jobs that were not done in time: late at their end, or given up in the queue.
    pub deadline_misses: u64,
    /// How many wait, by the class that they were submitted with.
    pub queue_depth_by_priority: [u64; 3],
    /// Running jobs that were moved.
    pub migrations_executed: u64,
    /// Running jobs that lost their place to an alert.
    pub preemptions: u64,
    /// How often a worker without work looked into another's queue.
    pub steal_attempts: u64,
    /// How often it found something.
    pub steal_successes: u64,
    /// Decisions by each worker: a place was found, or that there is none.
    pub decisions_by_worker: Vec<u64>,
}
