//! What must change in the fleet, and why.
//!
//! The whole control logic of `scheduling`, as pure functions over one [`Snapshot`]: the service
//! adds I/O, the simulator adds faults, and both run exactly this code.
//!
//! ```text
//!   operator ── command() ──┐                      ┌── assignments() ──▶ agent ── node::diff()
//!                           ▼                      │                       │
//!                       Snapshot ── plan() ─▶ execute()                    │ Report
//!                           ▲                                              │
//!                           └───────────────── observe() ◀─────────────────┘
//! ```
//!
//! - [`plan`] compares wishes with facts and returns a [`Plan`]: data, complete, and bound to the
//!   revision it was made from. [`check`] judges it independently; [`execute`] turns it into state.
//! - [`command`] takes an operator's wish, [`observe`] an agent's report.
//! - Everything that changes state returns [`Change`]s. The caller persists them in **one**
//!   transaction and only then tells anybody; [`Snapshot::apply`] rebuilds the state from them.
//! - [`assignments`] is what an agent pulls; [`node::diff`] is the agent's own decision.
//!
//! # Rules, each with its test
//! 1. A slot has at most one instance that is not terminal. Terminal states are never left.
//! 2. A generation is never used twice: [`SlotRecord::generation`] survives every deletion.
//! 3. `after` delays the first start of a slot until each named service has a healthy instance. It
//!    never stops anything, and it never delays a replacement.
//! 4. The second start in a row is immediate; from the third on they back off exponentially with
//!    jitter ([`backoff_ms`]). A healthy period starts the count anew; [`Action::GiveUp`] ends it.
//! 5. `Stop` of an instance ends that process, and the slot gets a new one if it is still wanted.
//! 6. A changed spec replaces one slot at a time, and a healthy instance goes only while every
//!    other one is healthy. Where a roll-out has slots beyond the wish, as many go at a time as
//!    there are healthy ones beyond it.
//! 7. Nothing is started on a node that takes no work; what runs on one is left alone, until it was
//!    away for [`Snapshot::lost_after_ms`] and counts as lost. Nodes are lost one by one.
//! 8. A node that is drained is emptied service by service: a stand-in is healthy before anything
//!    goes, and one instance goes at a time.
//! 9. What has no node of its own waits for [`place`] while a [`Snapshot::placer`] is wished for.
//!    Only the [`Snapshot::leader`] places, and nothing where there is no room for it.
//!
//! No clock, no I/O, no randomness: time is an argument, jitter is a hash of [`Snapshot::seed`].

mod assignments;
mod change;
mod check;
mod command;
mod dependencies;
mod execute;
pub mod node;
mod nodes;
mod observe;
mod place;
mod plan;
mod planner;
mod roll;
mod snapshot;

pub use assignments::{Assignment, Assignments, Desired, assignments, assignments_of};
pub use change::{Change, Event, EventKind, Subject, Write};
pub use check::{Violation, check};
pub use command::{Command, CommandError, command};
pub use dependencies::{Cycle, check_dependencies};
pub use execute::{StalePlan, execute};
pub use observe::{Ignored, Observation, Report, observe};
pub use place::{Decision, Deposed, Placed, Refusal, place};
pub use plan::{Action, Create, Place, Plan, StopReason, WaitReason, Waiting};
pub use planner::{
    DYNAMIC_PORT_FIRST, DYNAMIC_PORT_LAST, LOST_PAUSE_MANY_MS, LOST_PAUSE_MS, PORT_AVOIDED_MS,
    RECORDS_KEPT, backoff_ms, plan,
};
pub use roll::RollStep;
pub use snapshot::{GivenUp, Leader, SlotRecord, Snapshot};
