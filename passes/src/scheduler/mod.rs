//! The Pass Window Scheduler: which job goes next, onto which machine, by many workers at a time.
//!
//! Whoever uses it submits [`PassWindowJob`]s and calls [`Scheduler::tick`] every now and then. A
//! tick answers what starts, stops and moves; making it so is the caller's part. Time comes from a
//! [`Clock`], and nothing here waits.
//!
//! # A tick
//! 1. What is done gives back what it held.
//! 2. What can no longer be in time leaves the queue, and is counted.
//! 3. Alerts are placed, also into the headroom, and in the place of others if they must.
//! 4. The rest is placed in rounds: the region that consumed least for its weight goes next; of its
//!    jobs the first class, and within a class the earliest deadline. The workers place a round's
//!    jobs in parallel. Who finds no place stays queued.
//! 5. Every fifth tick, jobs move from full machines to empty ones.
//!
//! # Why it looks like this
//! - **A machine is one word** (`cell`): whether a job still fits and that it is taken now is one
//!   compare-and-swap. So workers share the fleet without a lock, and a conflict is seen by exactly
//!   the one who lost it.
//! - **Order is decided by one, places by many.** The queues are small trees and cost about a
//!   microsecond a job; the search for a place is what grows with the fleet.
//! - **A tick costs what can be placed**, not what waits: jobs of one pool of machines and of about
//!   one size are a group, and a group whose members keep finding no place is left alone until the
//!   next tick.
//!
//! ```
//! use std::sync::Arc;
//! use passes::scheduler::{Machine, MachineFleet, ManualClock, PassWindowJob, Scheduler};
//! use passes::scheduler::ResourceRequest;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let req = ResourceRequest { cpu_millicores: 8_000, memory_mb: 16_384, gpu_count: 0 };
//! let mut fleet = MachineFleet::new();
//! let (id, region) = ("m-1".to_owned(), "north".to_owned());
//! fleet.add_machine(Machine { id, region, capacity: req, ..Machine::default() })?;
//!
//! let clock = Arc::new(ManualClock::at(0));
//! let mut scheduler = Scheduler::new(fleet, 2, 15).with_clock(clock.clone());
//! scheduler.submit(PassWindowJob {
//!     id: 1,
//!     region: "north".to_owned(),
//!     priority_class: 1,
//!     deadline: 600_000,
//!     estimated_runtime: 240_000,
//!     req: ResourceRequest { cpu_millicores: 2_000, memory_mb: 4_096, gpu_count: 0 },
//!     required_tags: Vec::new(),
//!     submitted_at: 0,
//! })?;
//! assert_eq!(&*scheduler.tick().placed[0].machine, "m-1");
//! clock.advance(240_000);
//! assert_eq!(scheduler.tick().completed, [1]);
//! # Ok(())
//! # }
//! ```

mod admission;
mod backlog;
mod cell;
mod clock;
mod evict;
mod fit;
mod fleet;
mod job;
mod migrate;
mod pools;
mod report;
mod request;
mod sync;
mod tick;
mod turns;
mod workers;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use self::clock::{Clock, ManualClock, SystemClock};
pub use self::fleet::{AddError, Machine, MachineFleet};
pub use self::job::{JobId, PassWindowJob};
pub use self::report::{Migration, Placement, Preemption, SchedulerMetrics, TickReport};
pub use self::request::ResourceRequest;
pub use queueing::Refusal;

use self::backlog::Backlog;
use self::fit::{Levels, Places};
use self::fleet::Running;
use self::job::Task;
use self::pools::Pools;
use self::workers::Crew;

/// Why a job was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// No machine carries all of its tags.
    #[error("no machine carries all of {tags:?}")]
    NoSuchMachine {
        /// What it requires.
        tags: Vec<String>,
    },
    /// It cannot be done in time. Resource 0 is CPU (millicores), 1 memory (MiB), 2 GPUs.
    #[error("it cannot be done in time")]
    Hopeless(#[from] Refusal),
}

/// Decides which job goes where, and when. See the [module](self).
pub struct Scheduler {
    clock: Arc<dyn Clock>,
    fleet: MachineFleet,
    pools: Pools,
    /// By region.
    backlogs: Vec<Backlog>,
    /// Where the clocks of the regions are that got something last.
    share_now: u128,
    /// All that there is, by kind.
    capacity: [u64; 3],
    levels: Levels,
    crew: Crew,
    /// When what runs is expected to end, by time, job and machine.
    ends: BTreeSet<(u64, JobId, u32)>,
    ends_are_reported: bool,
    ticks: u64,
    last_tick_ms: u64,
    metrics: SchedulerMetrics,
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("ticks", &self.ticks)
            .field("waiting", &self.waiting())
            .field("running", &self.ends.len())
            .finish_non_exhaustive()
    }
}

impl Scheduler {
    /// With so many workers (at least one), and so much of each machine, in percent, that is kept
    /// for alerts. Its time is the machine's own.
    #[must_use]
    pub fn new(mut fleet: MachineFleet, num_workers: usize, headroom_pct: u32) -> Self {
        fleet.keep_free(headroom_pct);
        Self {
            clock: Arc::new(SystemClock),
            fleet,
            pools: Pools::default(),
            backlogs: Vec::new(),
            share_now: 0,
            capacity: [0; 3],
            levels: Levels::default(),
            crew: Crew::new(num_workers.max(1)),
            ends: BTreeSet::new(),
            ends_are_reported: false,
            ticks: 0,
            last_tick_ms: u64::MAX,
            metrics: SchedulerMetrics::default(),
        }
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The workers take turns in the caller's thread: the same calls get the same answers.
    /// Otherwise they are threads whenever there is enough to do for them.
    #[must_use]
    pub fn in_turns(mut self) -> Self {
        self.crew.take_turns();
        self
    }

    /// Jobs end when [`finished`](Self::finished) says so, instead of after the time that was
    /// estimated.
    #[must_use]
    pub fn with_reported_ends(mut self) -> Self {
        self.ends_are_reported = true;
        self
    }

    /// Accepts a job, whose id is not in use, for the next tick.
    ///
    /// # Errors
    /// [`Rejected`] if it cannot be done in time, with what is missing.
    pub fn submit(&mut self, job: PassWindowJob) -> Result<(), Rejected> {
        self.metrics.total_submitted += 1;
        let task = self.task(&job);
        if let Err(rejected) = self.admit(&task, job.required_tags) {
            self.metrics.total_rejected += 1;
            return Err(rejected);
        }
        self.enqueue(task);
        Ok(())
    }

    /// Takes a job in again that was accepted before, by a scheduler that is no more. It waits.
    pub fn restore(&mut self, job: &PassWindowJob) {
        let task = self.task(job);
        self.enqueue(task);
    }

    /// Takes a job in again that runs there already, expected to end then. `false`: it is not
    /// known to run there now, because there is no such machine, or no room on it.
    pub fn adopt(&mut self, job: &PassWindowJob, machine: &str, end_ms: u64) -> bool {
        let task = self.task(job);
        let Some(slot) = self.fleet.slot(machine) else {
            return false;
        };
        let room = &self.fleet.rooms[slot as usize];
        if !room.cell.take(&job.req, &room.capacity()) {
            return false;
        }
        self.fleet.begin(task, slot, end_ms);
        self.ends.insert((end_ms, job.id, slot));
        true
    }

    fn task(&mut self, job: &PassWindowJob) -> Task {
        let pool = self.pools.of(&job.required_tags, &self.fleet);
        let region = self.region(&job.region);
        Task {
            work: job.work(region),
            pool,
        }
    }

    /// Forgets a job that waits. `false`: it does not wait.
    pub fn cancel(&mut self, job: JobId) -> bool {
        self.backlogs.iter_mut().any(|backlog| backlog.remove(job))
    }

    /// A job has ended, where ends are reported. `false`: it does not run there.
    pub fn finished(&mut self, job: JobId, machine: &str) -> bool {
        let ended = self
            .fleet
            .slot(machine)
            .and_then(|slot| self.stop(job, slot));
        if let Some(running) = &ended {
            self.count_end(running, self.clock.now_ms());
        }
        ended.is_some()
    }

    /// Takes a running job away from its machine, without an end. `false`: it does not run there.
    pub fn withdraw(&mut self, job: JobId, machine: &str) -> bool {
        let slot = self.fleet.slot(machine);
        slot.and_then(|slot| self.stop(job, slot)).is_some()
    }

    /// Adds a machine, or one that was lost comes back.
    ///
    /// # Errors
    /// [`AddError`] if the name is taken or the machine too large to be counted.
    pub fn add_machine(&mut self, machine: Machine) -> Result<(), AddError> {
        self.fleet.add_machine(machine)?;
        self.pools.rebuild(&self.fleet);
        Ok(())
    }

    /// Whether a machine takes new jobs. What runs there goes on in either case.
    pub fn set_open(&mut self, id: &str, open: bool) {
        if let Some(index) = self.fleet.slot(id)
            && self.fleet.slots[index as usize].closed == open
        {
            self.fleet.slots[index as usize].closed = !open;
            self.pools.rebuild(&self.fleet);
        }
    }

    /// A machine is gone. What ran there waits again, and is returned.
    pub fn lose_machine(&mut self, id: &str) -> Vec<JobId> {
        let Some(index) = self.fleet.slot(id) else {
            return Vec::new();
        };
        let back = self.fleet.lose(index);
        self.pools.rebuild(&self.fleet);
        for running in &back {
            self.ends
                .remove(&(running.end_ms, running.task.work.id, index));
            self.enqueue(running.task);
        }
        back.iter().map(|running| running.task.work.id).collect()
    }

    /// How large a region's share is, beside the others'; 1 for those that were never told.
    pub fn set_weight(&mut self, region: &str, weight: u32) {
        let region = self.region(region) as usize;
        self.backlogs[region].weight = weight.max(1);
    }

    /// The machines.
    #[must_use]
    pub fn fleet(&self) -> &MachineFleet {
        &self.fleet
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.backlogs.iter().map(Backlog::len).sum()
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.ends.len()
    }

    /// What was counted since the beginning.
    #[must_use]
    pub fn metrics(&self) -> SchedulerMetrics {
        let mut metrics = self.metrics.clone();
        for backlog in &self.backlogs {
            for (sum, depth) in metrics
                .queue_depth_by_priority
                .iter_mut()
                .zip(backlog.depths)
            {
                *sum += depth;
            }
        }
        self.crew.count(&mut metrics);
        metrics
    }

    fn places(&self) -> Places<'_> {
        Places {
            fleet: &self.fleet,
            pools: &self.pools,
            levels: &self.levels,
        }
    }

    fn region(&mut self, name: &str) -> u32 {
        let region = self.fleet.region(name);
        while self.backlogs.len() <= region as usize {
            self.backlogs.push(Backlog::default());
        }
        region
    }

    fn enqueue(&mut self, task: Task) {
        let backlog = &mut self.backlogs[task.work.tenant as usize];
        if backlog.len() == 0 {
            // Who had nothing to do gets no credit for it.
            backlog.clock = backlog.clock.max(self.share_now);
        }
        backlog.push(task);
    }

    /// It no longer runs there, whatever becomes of it.
    fn stop(&mut self, job: JobId, slot: u32) -> Option<Running> {
        let running = self.fleet.end(job, slot)?;
        self.ends.remove(&(running.end_ms, job, slot));
        Some(running)
    }

    fn count_end(&mut self, running: &Running, at_ms: u64) {
        self.metrics.total_completed += 1;
        if at_ms > running.task.work.deadline_ms {
            self.metrics.deadline_misses += 1;
        }
    }
}
