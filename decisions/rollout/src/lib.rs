//! How a service goes from one version to the next: in which steps, when the next one may be taken,
//! and when to go back.
//!
//! [`decide`] looks at a [`Release`] (what was decided so far), at [`Facts`] (what runs, and how
//! well it answers) and at the time, and says what to do. It never waits and never acts: whoever
//! executes a [`Decision`] looks again afterwards, so that a decision that was lost is made again.
//!
//! A step is a *target*: slots from some index on run the newer version, the highest first, and
//! `surge` slots beyond what is wished for run it before any other does. So there is never less of
//! the service than was wished for, on the way there and on the way back.
//!
//! Whoever scales the service meanwhile changes how many slots a step means, and never leaves one
//! out: the release goes on at the step that has at most the same share ([`rescaled`]).
//!
//! Time is milliseconds, and an argument.
//!
//! ```
//! use rollout::{Plan, Strategy, targets};
//!
//! let plan = Plan::new(Strategy::Rolling);
//! // Thirty replicas: batches of three, after three new slots beyond them.
//! let steps = targets(&plan, 30, 0);
//! assert_eq!((steps.surge, steps.targets.len()), (3, 11));
//! assert_eq!(steps.targets[1].from, 27);
//! ```

mod decide;
mod evidence;
mod gates;
mod latency;
mod progress;
mod steps;

pub use decide::{Decision, Facts, Live, Phase, Release, Reported, Was, decide};
pub use gates::{Gates, Stats, judge};
pub use latency::Latency;
pub use progress::Progress;
pub use steps::{Hold, Plan, PlanError, Steps, Strategy, Target, rescaled, targets};
