//! Releases against a small world that does what it is told, well or badly.

mod events;
mod one_by_one;
mod ways;
mod world;
