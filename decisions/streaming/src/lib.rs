//! What a streaming job does next.
//!
//! So far: what a [`Program`] is to the controller, where its tasks go ([`compute_assignments`]),
//! how long a repetition waits ([`pause`]), and the words of the state machine that follows: a
//! job is told [`Event`]s, knows [`Facts`], and wants [`Action`]s done.

mod action;
mod assign;
mod backoff;
mod catalogue;
mod event;
mod facts;
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
pub use names::*;
pub use program::*;
pub use settings::*;
pub use wish::*;
