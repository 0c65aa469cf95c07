//! Which antenna takes which pass.
//!
//! A [`Problem`] has sites (pools of antennas) and requests, each with the contacts that would
//! serve it. [`greedy`] plans by a simple rule, [`improve`] plans well, [`bound`] says what no plan
//! can exceed, and [`check`] judges any plan without knowing how it came about.
//!
//! # Architecture Invariant
//!
//! Nothing here reads a clock: a search has a budget of steps and a seed, and the same of both
//! give the same plan on every run.
//!
//! ```
//! use contacts::{Contact, Problem, Request, Site, bound, check, improve};
//!
//! let site = Site { antennas: 1, setup_ms: 0, teardown_ms: 60_000 };
//! let pass = |from_ms| Contact { site: 0, from_ms, until_ms: from_ms + 600_000 };
//! let hurried = Request { weight: 1, contacts: vec![pass(0)] };
//! let patient = Request { weight: 1, contacts: vec![pass(0), pass(700_000)] };
//! let problem = Problem::new(vec![site], vec![patient, hurried])?;
//! let plan = improve(&problem, 1, 1_000);
//! check(&problem, &plan)?;
//! assert_eq!((plan.served(), bound(&problem, 0, 100)), (2, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bound;
mod check;
mod greedy;
mod improve;
mod model;
mod pool;
mod random;
pub mod satnet;

pub use bound::bound;
pub use check::{Fault, check};
pub use greedy::{Rule, greedy};
pub use improve::{improve, improve_watched};
pub use model::{Assignment, Contact, Plan, Problem, ProblemError, Request, Site};
