//! A small world to schedule in: a clock, machines, jobs.

use std::sync::Arc;

use passes::scheduler::{
    JobId, Machine, MachineFleet, ManualClock, PassWindowJob, Placement, ResourceRequest,
    Scheduler, TickReport,
};

pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 3_600_000;

/// So many whole cores, and 1 GiB with each.
pub(crate) fn cores(count: u32) -> ResourceRequest {
    ResourceRequest {
        cpu_millicores: count * 1_000,
        memory_mb: count * 1_024,
        gpu_count: 0,
    }
}

pub(crate) fn machine(id: &str, region: &str, capacity: ResourceRequest, tags: &[&str]) -> Machine {
    Machine {
        id: id.to_owned(),
        region: region.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        capacity,
        ..Machine::default()
    }
}

/// A job of one core for ten minutes, due in a day.
pub(crate) fn job(id: JobId, class: u8, region: &str) -> PassWindowJob {
    PassWindowJob {
        id,
        region: region.to_owned(),
        priority_class: class,
        deadline: 24 * HOUR,
        estimated_runtime: 10 * MINUTE,
        req: cores(1),
        required_tags: Vec::new(),
        submitted_at: 0,
    }
}

pub(crate) fn sized(id: JobId, class: u8, count: u32) -> PassWindowJob {
    PassWindowJob {
        req: cores(count),
        ..job(id, class, "r")
    }
}

pub(crate) fn tagged(mut job: PassWindowJob, tags: &[&str]) -> PassWindowJob {
    job.required_tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    job
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) scheduler: Scheduler,
}

impl World {
    pub(crate) fn new(machines: Vec<Machine>, workers: usize, headroom: u32) -> Self {
        let mut fleet = MachineFleet::new();
        for machine in machines {
            fleet.add_machine(machine).expect("a machine that can be");
        }
        let clock = Arc::new(ManualClock::default());
        let scheduler = Scheduler::new(fleet, workers, headroom).with_clock(clock.clone());
        Self { clock, scheduler }
    }

    /// Machines of one region, named `m0`, `m1` and so on.
    pub(crate) fn of(sizes: &[u32], headroom: u32) -> Self {
        let machine = |(i, size): (usize, &u32)| machine(&format!("m{i}"), "r", cores(*size), &[]);
        let machines = sizes.iter().enumerate().map(machine).collect();
        Self::new(machines, 4, headroom)
    }

    pub(crate) fn submit(&mut self, jobs: impl IntoIterator<Item = PassWindowJob>) {
        for job in jobs {
            self.scheduler.submit(job).expect("a job that can be done");
        }
    }

    pub(crate) fn tick_at(&mut self, now_ms: u64) -> TickReport {
        self.clock.set(now_ms);
        self.scheduler.tick()
    }

    pub(crate) fn used(&self, id: &str) -> u32 {
        let machine = self.scheduler.fleet().machine(id);
        machine.expect("there is one").used.cpu_millicores / 1_000
    }
}

pub(crate) fn ids(placed: &[Placement]) -> Vec<JobId> {
    placed.iter().map(|placement| placement.job).collect()
}

pub(crate) fn place_of(report: &TickReport, job: JobId) -> Option<&str> {
    let placement = report.placed.iter().find(|placement| placement.job == job);
    placement.map(|placement| &*placement.machine)
}
