//! The same day under more and more load.

use super::rivals::{self, Order};
use super::{JOBS, Options, bound, day, world};

/// One load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Times [`JOBS`].
    pub load: u32,
    /// How many jobs came.
    pub jobs: u32,
    /// How many there were of each class.
    pub submitted: [u64; 3],
    /// Done in time, by class, by first fit, first come, first served.
    pub fifo: [u64; 3],
    /// By first fit, earliest deadline first.
    pub edf: [u64; 3],
    /// By ours.
    pub ours: [u64; 3],
    /// What nobody can exceed.
    pub bound: f64,
}

/// Loads, least first.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve(pub Vec<Point>);

/// Simulates a day at each of the loads, on the same machines.
#[must_use]
pub fn curve(options: Options, loads: impl IntoIterator<Item = u32>) -> Curve {
    curve_watched(options, loads, &mut |_, _| {})
}

/// As [`curve`], and says after each load how many of how many are done.
pub fn curve_watched(
    options: Options,
    loads: impl IntoIterator<Item = u32>,
    watch: &mut dyn FnMut(u64, u64),
) -> Curve {
    let point = |load: u32| {
        let options = Options {
            jobs: JOBS * load,
            ..options
        };
        let jobs = world::jobs(&options);
        let ours = day::run(options);
        Point {
            load,
            jobs: options.jobs,
            submitted: ours.submitted,
            fifo: rivals::in_time(Order::Fifo, &options, &jobs),
            edf: rivals::in_time(Order::Deadline, &options, &jobs),
            ours: ours.in_time,
            bound: bound::in_time(&options, &jobs),
        }
    };
    let loads: Vec<u32> = loads.into_iter().collect();
    let all = loads.len() as u64;
    let mut points = Vec::new();
    for load in loads {
        watch(points.len() as u64, all);
        points.push(point(load));
    }
    Curve(points)
}
