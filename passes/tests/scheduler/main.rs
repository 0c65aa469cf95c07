//! The scheduler's core, by the acceptance list of issue 5.

mod admission;
mod day;
mod migration;
mod order;
mod placement;
mod shares;
mod workers;
mod world;
