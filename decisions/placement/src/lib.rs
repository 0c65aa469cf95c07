//! Where a task can go, and which place is best.
//!
//! A [`Cluster`] is told which machines there are and what is placed on them, and is asked where
//! the next [`Task`] goes. *Filters* say where it can go, and what would have to change where it
//! cannot; *scores* say which of these places is best. Nothing here reads a clock or draws a random
//! number: the same facts give the same answer, in whatever order they became known.
//!
//! | module | what |
//! |---|---|
//! | `task`, `machine`, `settings` | what is placed, where, and how the fleet is to be filled |
//! | `filter` | the rules, one file each: a margin, or the smallest change that would do |
//! | `score` | what makes a place better, one file each |
//! | `cluster` | the engine: an index for each shape of task, brought up to date as it is asked |
//!
//! ```
//! use model::{CPU_MILLICORES, NodeId, Resources};
//! use placement::{Cluster, Machine, Settings, Task};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut cluster = Cluster::new(Settings::default());
//! for (name, cores) in [("large", 64), ("small", 8)] {
//!     let capacity = Resources::default().with(CPU_MILLICORES, cores * 1_000);
//!     cluster.set_machine(&Machine::new(NodeId::new(name)?, capacity));
//! }
//! let task = Task {
//!     request: Resources::default().with(CPU_MILLICORES, 2_000),
//!     ..Task::default()
//! };
//! let choice = cluster.decide(&task)?;
//! assert_eq!(choice.seat.node.as_str(), "small");
//! cluster.place("echo.0.1", &task, &choice.seat)?;
//! # Ok(())
//! # }
//! ```

mod cluster;
mod filter;
mod machine;
mod score;
mod settings;
mod task;
mod verdict;

pub use cluster::outlook::Expected;
pub use cluster::{Choice, Cluster, PlaceError};
pub use machine::{Facts, Machine};
pub use model::{Affinity, Spread, Strength, Topology, Wish};
pub use settings::{GPU_MILLI, INSTANCES, Settings, Weights};
pub use task::{Seat, Task, Wanted};
pub use verdict::{Change, Check, Filter, Margin, Rejection, Report, Verdict};
