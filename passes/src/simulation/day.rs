//! One day of ours.

use std::sync::Arc;

use crate::scheduler::{JobId, ManualClock, Scheduler, SchedulerMetrics, TickReport};

use super::Options;
use super::world::{DAY, HOUR, REGIONS, fleet, jobs};

/// How it stood at the end of a quarter of the day.
#[derive(Clone, Debug, PartialEq)]
pub struct Quarter {
    /// Hours since the day began.
    pub hour: u64,
    /// Everything that was counted until then.
    pub metrics: SchedulerMetrics,
    /// How many ran then.
    pub running: usize,
    /// The mean share of the fleet that was taken in this quarter: 0 to 1.
    pub utilization: f64,
}

/// What became of a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    /// What was asked for.
    pub options: Options,
    /// Every six hours.
    pub quarters: Vec<Quarter>,
    /// When the last job was done.
    pub end: SchedulerMetrics,
    /// Jobs that came, by class.
    pub submitted: [u64; 3],
    /// Jobs that were done in time, by class.
    pub in_time: [u64; 3],
    /// Jobs that were done in time, by region.
    pub by_region: Vec<(&'static str, u64)>,
    /// The longest that an alert waited for its start, in milliseconds.
    pub alert_wait_ms_max: u64,
}

impl Day {
    /// The share of all submitted jobs that were done in time: 0 to 1. Who was refused was not.
    #[must_use]
    pub fn compliance(&self) -> f64 {
        let submitted: u64 = self.submitted.iter().sum();
        let in_time: u64 = self.in_time.iter().sum();
        if submitted == 0 {
            1.0
        } else {
            in_time as f64 / submitted as f64
        }
    }
}

/// What is remembered of a job to judge it.
struct Fate {
    class: usize,
    region: u32,
    submitted_ms: u64,
    deadline_ms: u64,
    end_ms: u64,
}

/// Simulates a day, to the end of its last job.
#[must_use]
pub fn run(options: Options) -> Day {
    run_watched(options, &mut |_, _| {})
}

/// As [`run`], and says after each tick how many milliseconds of how many are over. What is still
/// under way at midnight is seen to its end.
pub fn run_watched(options: Options, watch: &mut dyn FnMut(u64, u64)) -> Day {
    let clock = Arc::new(ManualClock::at(0));
    let scheduler = Scheduler::new(
        fleet(options.machines),
        options.workers,
        options.headroom_pct,
    );
    let mut scheduler = scheduler.with_clock(clock.clone()).in_turns();
    let mut judge = Judge::new(options);
    let mut coming = jobs(&options).into_iter().peekable();
    let mut now_ms = 0;
    loop {
        now_ms += options.tick_ms.max(1);
        clock.set(now_ms);
        while let Some(job) = coming.next_if(|job| job.submitted_at < now_ms) {
            judge.comes(&job);
            // Who is refused was counted, and is never done.
            scheduler.submit(job).ok();
        }
        let report = scheduler.tick();
        judge.hears(&report);
        judge.looks(&scheduler, now_ms);
        watch(now_ms.min(DAY), DAY);
        if now_ms >= DAY && scheduler.waiting() + scheduler.running() == 0 {
            return judge.verdict(scheduler.metrics());
        }
    }
}

struct Judge {
    fates: Vec<Fate>,
    day: Day,
    taken: f64,
    looks: f64,
}

impl Judge {
    fn new(options: Options) -> Self {
        Self {
            fates: Vec::with_capacity(options.jobs as usize),
            day: Day {
                options,
                quarters: Vec::new(),
                end: SchedulerMetrics::default(),
                submitted: [0; 3],
                in_time: [0; 3],
                by_region: REGIONS.iter().map(|region| (*region, 0)).collect(),
                alert_wait_ms_max: 0,
            },
            taken: 0.0,
            looks: 0.0,
        }
    }

    fn comes(&mut self, job: &crate::scheduler::PassWindowJob) {
        let region = REGIONS.iter().position(|region| *region == job.region);
        let class = usize::from(job.priority_class);
        self.day.submitted[class] += 1;
        self.fates.push(Fate {
            class,
            region: region.unwrap_or(0) as u32,
            submitted_ms: job.submitted_at,
            deadline_ms: job.deadline,
            end_ms: 0,
        });
    }

    fn hears(&mut self, report: &TickReport) {
        for placed in &report.placed {
            let fate = &mut self.fates[placed.job as usize];
            fate.end_ms = placed.end_ms;
            if fate.class == 0 {
                let waited = placed.start_ms - fate.submitted_ms;
                self.day.alert_wait_ms_max = self.day.alert_wait_ms_max.max(waited);
            }
        }
        for moved in &report.migrated {
            self.fates[moved.job as usize].end_ms += moved.cost_ms;
        }
        report.completed.iter().for_each(|job| self.ends(*job));
    }

    fn ends(&mut self, job: JobId) {
        let fate = &self.fates[job as usize];
        if fate.end_ms <= fate.deadline_ms {
            self.day.in_time[fate.class] += 1;
            self.day.by_region[fate.region as usize].1 += 1;
        }
    }

    fn looks(&mut self, scheduler: &Scheduler, now_ms: u64) {
        if now_ms > DAY {
            return;
        }
        self.taken += scheduler.fleet().utilization();
        self.looks += 1.0;
        let hour = 6 * (self.day.quarters.len() as u64 + 1);
        if now_ms >= hour * HOUR {
            self.day.quarters.push(Quarter {
                hour,
                metrics: scheduler.metrics(),
                running: scheduler.running(),
                utilization: self.taken / self.looks,
            });
            (self.taken, self.looks) = (0.0, 0.0);
        }
    }

    fn verdict(mut self, metrics: SchedulerMetrics) -> Day {
        self.day.end = metrics;
        self.day
    }
}
