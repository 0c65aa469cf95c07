//! The nouns of the fleet and what must always be true of them.
//!
//! Nouns, never verbs: nothing here decides, reads a clock, draws a random number or does I/O.
//! A *spec* is a wish, an *instance* is a fact, and a *slot* is what ties the two together:
//! replica number `index` of a service. Each time something is started for a slot it gets the
//! next *generation*, so `echo.2.7` names the seventh process ever started for echo's replica 2,
//! and no two processes ever share a name.

mod class;
mod instance;
mod labels;
mod names;
mod node;
mod resources;
mod spec;
mod taints;
mod wishes;

pub use class::Class;
pub use instance::{Exit, Failure, Instance, InstanceState, ProcessIdentity};
pub use labels::{Condition, Labels, LicenseTier, Requirement};
pub use names::{
    Generation, InstanceId, NAME_BYTES_MAX, NameError, NodeId, Revision, ServiceName, Slot,
};
pub use node::{Duty, Node, NodeFacts, NodeStatus};
pub use resources::{CPU_MILLICORES, DISK_BYTES, GpuRequest, Gpus, MEMORY_BYTES, PIDS, Resources};
pub use spec::{
    Artifact, Limits, Next, Ports, Probe, ProbeKind, Probes, REPLICAS_MAX, RestartPolicy,
    SECRETS_MAX, ServiceSpec, SpecError,
};
pub use taints::{Effect, Taint, Toleration};
pub use wishes::{Affinity, Spread, Strength, Topology, Wish, Wishes};

/// A point in time, in milliseconds since the Unix epoch. Always an argument, never read here.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment, `millis` milliseconds later; stops at the end of time instead of wrapping.
    #[must_use]
    pub fn plus_ms(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// How many milliseconds `self` lies after `earlier`; zero when it does not.
    #[must_use]
    pub fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
