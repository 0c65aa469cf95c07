//! The state machine against a world of scripted workers: the checklist of
//! `PIPELINES.md` 1.13 by its numbers, and a seeded simulation.

mod checkpoints;
mod describe;
mod failures;
mod lifecycle;
mod restarts;
mod scheduling;
mod simulation;
mod stops;
mod workers;
mod world;
