//! What a streaming job does next: a pure state machine, and what it decides with.
//!
//! A [`Job`] hears [`Event`]s and asks for [`Action`]s; its [`Facts`] and [`Catalogue`] are what
//! is kept over a crash of its controller, its [`Wish`] is what an operator wants of it. No clock,
//! no I/O: time and the seed of all randomness are arguments.
//!
//! ```
//! use streaming::{Action, Event, Job, Operator, Program, Settings, State, Wish};
//!
//! let source = Operator { parallelism: 2, source: true, ..Operator::default() };
//! let wish = Wish::new(Program { operators: vec![source], edges: vec![] });
//! let mut job = Job::new(Settings::default(), 1, wish);
//! let actions = job.step(0, Event::Wake);
//! assert_eq!(job.facts().state, State::Scheduling);
//! // The facts are written before the workers of the new generation start.
//! assert!(matches!(actions[0], Action::Save(_)));
//! assert!(actions.iter().any(|a| matches!(a, Action::StartWorkers { slots: 2, .. })));
//! ```

mod action;
mod assign;
mod backoff;
mod catalogue;
mod event;
mod facts;
mod job;
mod names;
mod program;
mod settings;
mod wish;

pub use action::*;
pub use assign::*;
pub use backoff::*;
pub use catalogue::*;
pub use event::*;
pub use facts::*;
pub use job::Job;
pub use names::*;
pub use program::*;
pub use settings::*;
pub use wish::*;
