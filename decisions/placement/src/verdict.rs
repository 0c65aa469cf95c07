//! What a filter answers: how much room there was, or what would have to change.

use std::fmt;
use std::sync::Arc;

use model::{Duty, NodeId, NodeStatus, Requirement, Taint};
use serde::{Deserialize, Serialize};

/// The rules that a place has to keep, in the order in which they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The machine takes work.
    Status,
    /// It is of the right pool.
    Pool,
    /// Its labels say what is asked for.
    Labels,
    /// Its taints are tolerated.
    Taints,
    /// It is in a region and zone that will do.
    Location,
    /// Its licence reaches far enough.
    License,
    /// Its graphics processors are of a model that will do.
    GpuModel,
    /// The ports are free.
    Ports,
    /// There is enough of everything.
    Capacity,
    /// There are enough graphics processors.
    Gpu,
    /// Those that have to be there are there, and nobody who must not be.
    Affinity,
    /// The zones stay even.
    Spread,
    /// Its tenant has not used up what it may have; the same on every machine.
    Quota,
}

impl Filter {
    /// All of them, in the order in which they are checked.
    pub const ALL: [Self; 13] = [
        Self::Status,
        Self::Pool,
        Self::Labels,
        Self::Taints,
        Self::Location,
        Self::License,
        Self::GpuModel,
        Self::Ports,
        Self::Capacity,
        Self::Gpu,
        Self::Affinity,
        Self::Spread,
        Self::Quota,
    ];

    /// Whether a machine that fails it could never take the task, however empty it were.
    #[must_use]
    pub fn is_about_facts(self) -> bool {
        self < Self::Ports
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Status => "status",
            Self::Pool => "pool",
            Self::Labels => "labels",
            Self::Taints => "taints",
            Self::Location => "location",
            Self::License => "license",
            Self::GpuModel => "gpu model",
            Self::Ports => "ports",
            Self::Capacity => "capacity",
            Self::Gpu => "gpu",
            Self::Affinity => "affinity",
            Self::Spread => "spread",
            Self::Quota => "quota",
        })
    }
}

/// How a filter answers: with what is left, or with the first thing that would have to change.
pub type Verdict = Result<Margin, Change>;

/// What one rule says of a task on a machine, completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The rule.
    pub filter: Filter,
    /// What is left, or all that would have to change for the rule to be kept.
    pub outcome: Result<Margin, Vec<Change>>,
}

/// What one machine says to a task: every rule, also after one refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The machine.
    pub node: NodeId,
    /// How good it is, to compare; `None` where a rule refuses.
    pub score: Option<i64>,
    /// All rules, in their order.
    pub checks: Vec<Check>,
}

impl Report {
    /// All that would have to change for the machine to take the task; nothing when it does.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.checks
            .iter()
            .flat_map(|check| check.outcome.as_ref().err().into_iter().flatten())
    }

    /// How big all these changes are together, see [`Change::size`].
    #[must_use]
    pub fn effort(&self) -> u32 {
        self.changes().map(Change::size).sum()
    }
}

/// In words: what would have to change on which machine.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes: Vec<String> = self.changes().map(ToString::to_string).collect();
        write!(f, "on {}: {}", self.node, changes.join(", and "))
    }
}

/// How much room was left when a filter was passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Margin {
    /// It is a matter of yes or no, or nothing was asked for.
    Free,
    /// So much of the scarcest resource would be left.
    Left {
        /// Which one.
        resource: Arc<str>,
        /// How much.
        amount: u64,
    },
    /// So many thousandths of graphics processors would be left.
    GpusLeft {
        /// Thousandths.
        milli: u64,
    },
    /// So many tiers more than needed.
    Tiers(u8),
    /// So many more of the group fit into this zone before another has to catch up.
    Skew(u32),
}

impl fmt::Display for Margin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free => write!(f, "yes"),
            Self::Left { resource, amount } => write!(f, "{} left", quantity(resource, *amount)),
            Self::GpusLeft { milli } => write!(f, "{milli} thousandths of a gpu left"),
            Self::Tiers(0) => write!(f, "just enough"),
            Self::Tiers(tiers) => write!(f, "{tiers} above what is needed"),
            Self::Skew(0) => write!(f, "no more after this one until other zones catch up"),
            Self::Skew(more) => write!(f, "{more} more until other zones have to catch up"),
        }
    }
}

/// An amount as a person says it; binary units, rounded up, because less would not do.
fn quantity(resource: &str, amount: u64) -> String {
    match resource {
        model::CPU_MILLICORES => format!("{amount} millicores of cpu"),
        model::MEMORY_BYTES => format!("{} of memory", bytes(amount)),
        model::DISK_BYTES => format!("{} of disk", bytes(amount)),
        other => format!("{amount} {other}"),
    }
}

fn bytes(amount: u64) -> String {
    const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = UNITS.iter().find(|(shift, _)| amount >> shift >= 10);
    match unit {
        Some((shift, name)) => format!("{} {name}", amount.div_ceil(1 << shift)),
        None => format!("{amount} bytes"),
    }
}

/// The smallest change that would make a filter pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The machine has to come back.
    Recover(NodeStatus),
    /// The machine has to be opened for work.
    Open(Duty),
    /// The task has to name this pool.
    Pool(String),
    /// The machine has to be labelled, or this asked for no longer.
    Label(Requirement),
    /// The task has to tolerate this.
    Tolerate(Taint),
    /// The task has to allow this region.
    AllowRegion(String),
    /// The task has to allow this zone.
    AllowZone(String),
    /// The machine needs so many tiers more.
    License {
        /// The tier that is missing.
        tiers: u8,
    },
    /// The task has to take this model; empty: to do without.
    GpuModel(String),
    /// Whoever has this port has to leave it.
    FreePort {
        /// Which one.
        port: u16,
        /// Who has it, where that was looked up.
        holder: Option<String>,
    },
    /// So much has to become free.
    Free {
        /// Of what.
        resource: Arc<str>,
        /// How much, in its unit.
        amount: u64,
    },
    /// Even empty the machine is too small: the task has to ask for so much less to fit in now.
    Shrink {
        /// Of what.
        resource: Arc<str>,
        /// How much, in its unit.
        amount: u64,
    },
    /// So many thousandths of graphics processors have to become free.
    FreeGpus {
        /// Thousandths.
        milli: u64,
    },
    /// Even empty the machine has too few graphics processors: so many thousandths fewer to fit in
    /// now.
    ShrinkGpus {
        /// Thousandths.
        milli: u64,
    },
    /// Instances of this group have to leave.
    MoveAway {
        /// Which group.
        group: String,
        /// How many instances.
        count: u32,
    },
    /// An instance of this group has to come here first.
    Invite {
        /// Which group.
        group: String,
    },
    /// The quota has to be so much larger, or so much of it given back.
    RaiseQuota {
        /// Whose.
        tenant: String,
        /// Of what.
        resource: Arc<str>,
        /// By how much, in its unit.
        amount: u64,
    },
    /// The skew that is allowed has to be so much larger, or other zones have to catch up.
    RaiseSkew {
        /// By how much.
        by: u32,
    },
}

impl Change {
    /// How big a change is, to compare changes: what the task's owner can do alone comes before
    /// what somebody has to do on the machine, before what needs another machine.
    #[must_use]
    pub fn size(&self) -> u32 {
        match self {
            Self::Tolerate(_) | Self::AllowZone(_) | Self::RaiseSkew { .. } => 1,
            Self::AllowRegion(_) | Self::Pool(_) | Self::GpuModel(_) => 2,
            Self::Label(_) | Self::Open(_) | Self::FreePort { .. } => 2,
            Self::Free { .. } | Self::FreeGpus { .. } => 2,
            Self::MoveAway { .. } | Self::Invite { .. } | Self::RaiseQuota { .. } => 3,
            Self::Shrink { .. } | Self::ShrinkGpus { .. } => 4,
            Self::Recover(_) | Self::License { .. } => 5,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recover(_) => write!(f, "bring the machine back"),
            Self::Open(_) => write!(f, "open the machine for work"),
            Self::Pool(pool) => write!(f, "ask for pool {pool:?}"),
            Self::Label(requirement) => {
                write!(
                    f,
                    "set label {:?} so that it {}",
                    requirement.key,
                    words(requirement)
                )
            }
            Self::Tolerate(taint) => write!(f, "tolerate taint {}={:?}", taint.key, taint.value),
            Self::AllowRegion(region) => write!(f, "allow region {region:?}"),
            Self::AllowZone(zone) => write!(f, "allow zone {zone:?}"),
            Self::License { tiers } => write!(f, "raise the machine's licence by {tiers}"),
            Self::GpuModel(model) if model.is_empty() => write!(f, "do without a gpu"),
            Self::GpuModel(model) => write!(f, "allow gpu model {model:?}"),
            Self::FreePort { port, holder } => match holder {
                Some(holder) => write!(f, "free port {port}, which {holder} has"),
                None => write!(f, "free port {port}"),
            },
            Self::Free { resource, amount } => write!(f, "free {}", quantity(resource, *amount)),
            Self::Shrink { resource, amount } => {
                write!(f, "ask for {} less", quantity(resource, *amount))
            }
            Self::FreeGpus { milli } => write!(f, "free {milli} thousandths of a gpu"),
            Self::ShrinkGpus { milli } => write!(f, "ask for {milli} thousandths of a gpu less"),
            Self::MoveAway { group, count } => write!(f, "move {count} of {group:?} away"),
            Self::Invite { group } => write!(f, "place one of {group:?} here first"),
            Self::RaiseQuota {
                tenant,
                resource,
                amount,
            } => {
                let more = quantity(resource, *amount);
                write!(f, "raise the quota of {tenant} by {more}")
            }
            Self::RaiseSkew { by } => write!(f, "allow a skew larger by {by}"),
        }
    }
}

fn words(requirement: &Requirement) -> String {
    use model::Condition as C;
    match &requirement.is {
        C::Equals(value) => format!("is {value:?}"),
        C::NotEquals(value) => format!("is not {value:?}"),
        C::In(values) => format!("is one of {values:?}"),
        C::Exists => "exists".to_owned(),
        C::Below(limit) => format!("is below {limit}"),
        C::Above(limit) => format!("is above {limit}"),
        C::Matches(pattern) => format!("matches {pattern:?}"),
        C::Version(range) => format!("is a version {range}"),
    }
}

/// Why no machine takes a task: for each rule, how many machines it was the first to rule out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("no machine of {machines} takes it{}", reasons(.refused))]
pub struct Rejection {
    /// How many machines there are.
    pub machines: usize,
    /// How many of them each rule refused first; `affinity` and `spread` also count machines that
    /// would take it, in zones that may not.
    pub refused: std::collections::BTreeMap<Filter, usize>,
}

fn reasons(refused: &std::collections::BTreeMap<Filter, usize>) -> String {
    let parts: Vec<String> = refused.iter().map(|(f, n)| format!("{n} by {f}")).collect();
    if parts.is_empty() {
        return String::new();
    }
    format!(": {}", parts.join(", "))
}
