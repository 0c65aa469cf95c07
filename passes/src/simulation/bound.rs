//! How many jobs can be in time, whoever decides: no scheduler can do more.
//!
//! Everything that makes it hard is left out: a job may be cut into parts, run on many machines
//! at once, stop and go on, be done in part and count in part; only its work (core milliseconds)
//! has to be done between its submission and its deadline, and there are only so many cores. What
//! can be done of each job is then a polymatroid, so that taking the least work first, as much of
//! it as still fits, gives the most jobs (Edmonds, 1970).
//!
//! Work fits if no stretch of time has more to do, of jobs that lie within it, than its cores can.
//! Time is in steps of ten minutes, and a job's window is made larger to whole steps, which can
//! only allow more.

use crate::scheduler::PassWindowJob;

use super::Options;
use super::world::{CORES, DAY, HOUR, MINUTE, STATIONS, station_of, tag_of};

const STEP: u64 = 10 * MINUTE;
/// The day, and the longest that a job of it may take.
const STEPS: usize = ((DAY + 14 * HOUR) / STEP) as usize;

/// The smaller of two bounds: every station's passes on its own machines, and everything on all.
pub(crate) fn in_time(options: &Options, jobs: &[PassWindowJob]) -> f64 {
    let all = most(jobs.iter(), options.machines);
    let anywhere = jobs
        .iter()
        .filter(|job| job.required_tags.is_empty())
        .count();
    let stations = (0..STATIONS).map(|station| {
        let tag = tag_of(station);
        let wired = (0..options.machines).filter(|machine| station_of(*machine) == station);
        let own = jobs.iter().filter(|job| job.required_tags.contains(&tag));
        most(own, wired.count() as u32)
    });
    all.min(stations.sum::<f64>() + anywhere as f64)
}

fn most<'j>(jobs: impl Iterator<Item = &'j PassWindowJob>, machines: u32) -> f64 {
    let work = |job: &PassWindowJob| {
        f64::from(job.req.cpu_millicores) / 1_000.0 * job.estimated_runtime as f64
    };
    let mut jobs: Vec<&PassWindowJob> = jobs.collect();
    jobs.sort_by(|a, b| work(a).total_cmp(&work(b)));
    let each_step = f64::from(machines) * f64::from(CORES) * STEP as f64;
    // What is left in the stretch from step `a` to step `b`, both within it.
    let mut left: Vec<Vec<f64>> = (0..STEPS)
        .map(|a| {
            (0..STEPS)
                .map(|b| each_step * (b + 1).saturating_sub(a) as f64)
                .collect()
        })
        .collect();
    let mut count = 0.0;
    for job in jobs {
        let first = (job.submitted_at / STEP) as usize;
        let last = ((job.deadline.saturating_sub(1) / STEP) as usize).min(STEPS - 1);
        let around = left[..=first].iter();
        let room = around
            .flat_map(|row| &row[last..])
            .copied()
            .fold(f64::INFINITY, f64::min);
        let part = (room / work(job)).clamp(0.0, 1.0);
        for row in &mut left[..=first] {
            row[last..]
                .iter_mut()
                .for_each(|left| *left -= part * work(job));
        }
        count += part;
    }
    count
}
