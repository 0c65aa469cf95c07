//! A day of passes, without waiting for it: the scheduler's core with a clock of its own, from a
//! seed. Same options, same day, to the last digit.
//!
//! [`run`] is one day of ours; [`curve`] is the same day under more and more load, beside simpler
//! schedulers and a bound that nobody can exceed.

mod bound;
mod curve;
mod day;
mod rivals;
mod show;
mod world;

pub use self::curve::{Curve, Point, curve, curve_watched};
pub use self::day::{Day, Quarter, run, run_watched};

/// Jobs of a day at load 1.
pub const JOBS: u32 = 1_400;
/// Machines of the fleet that a day at load 1 is meant for.
pub const MACHINES: u32 = 90;
/// The loads of a curve, in times [`JOBS`].
pub const LOADS: [u32; 11] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16];
/// What share of all jobs has to be in time.
pub const TARGET: f64 = 0.999;

/// A day to be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many jobs are submitted in the 24 hours.
    pub jobs: u32,
    /// How many machines there are.
    pub machines: u32,
    /// How many workers the scheduler has.
    pub workers: usize,
    /// How much of each machine is kept for alerts, in percent.
    pub headroom_pct: u32,
    /// What the day is drawn from.
    pub seed: u64,
    /// How often the scheduler decides, in milliseconds.
    pub tick_ms: u64,
}

impl Options {
    /// So many jobs, and everything else as usual. [`MACHINES`] up to eight times [`JOBS`]; beyond
    /// that, so many that they have as much to do as these have at four times.
    #[must_use]
    pub fn new(jobs: u32) -> Self {
        let machines = match jobs {
            0..=11_200 => MACHINES,
            _ => u32::try_from(u64::from(jobs) * u64::from(MACHINES) / u64::from(4 * JOBS))
                .unwrap_or(u32::MAX),
        };
        Self {
            jobs,
            machines,
            workers: 8,
            headroom_pct: 15,
            seed: 1,
            tick_ms: 10_000,
        }
    }
}
