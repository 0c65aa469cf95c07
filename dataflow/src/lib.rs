//! Streams of Arrow record batches through operators, with checkpoints.
//!
//! A [`plan::Plan`] says what is computed; its [`plan::Graph`] says in which tasks. A
//! [`worker::Worker`] runs the tasks that it is assigned, exchanges rows with the other workers of
//! the job, and stores its state when it is told to.
//!
//! # Time
//! Every row has an event time. A source says by *watermarks* that no row before some time is
//! expected; a window is given out when the watermark reaches its end. A row whose window's first
//! pane lies before the watermark's is too late and dropped (of a session: one before the
//! watermark), and counted. At the end of data all windows are given out; when a job is stopped,
//! none is.
//!
//! # Exactly once
//! Barriers flow with the rows. A task that has the barrier of an epoch on all its inputs stores
//! its state, keyed by hash, and lets the barrier pass; so the states of one epoch are those of one
//! moment in every stream, and a job restored from them goes on as if nothing had happened, at any
//! parallelism. Sinks show what they wrote in an epoch when they are told that all of it is stored.

mod aggregate;
pub mod columns;
pub mod events;
mod exchange;
pub mod expression;
pub mod failure;
pub mod hash;
mod inbox;
pub mod json;
mod keys;
pub mod manifest;
mod operators;
pub mod plan;
pub mod sinks;
pub mod sources;
pub mod sql;
pub mod storage;
mod task;
pub mod worker;
