//! Amounts of things that run out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// CPU time, in thousandths of a core.
pub const CPU_MILLICORES: &str = "cpu_millicores";
/// Memory, in bytes.
pub const MEMORY_BYTES: &str = "memory_bytes";
/// Disk space, in bytes.
pub const DISK_BYTES: &str = "disk_bytes";
/// Processes and threads.
pub const PIDS: &str = "pids";

/// Named amounts, the unit in the name; what is not named is zero. Any name will do: a fleet may
/// count `antennas` or `licences` as well as the four that have constants here.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resources(pub BTreeMap<String, u64>);

impl Resources {
    /// How much there is of one thing.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// The same with so much of one thing.
    #[must_use]
    pub fn with(mut self, name: &str, amount: u64) -> Self {
        self.0.insert(name.to_owned(), amount);
        self
    }

    /// The names and amounts, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }
}

/// Graphics processors of one machine: all of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gpus {
    /// How many.
    pub count: u16,
    /// Which.
    pub model: String,
}

/// Graphics processors that a task asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GpuRequest {
    /// Thousandths of a processor: below 1000 a part of one, otherwise so many whole ones
    /// (rounded up).
    pub milli: u32,
    /// Any of these models; empty: any at all.
    pub models: Vec<String>,
}

impl GpuRequest {
    /// How many processors, and how many thousandths of each.
    #[must_use]
    pub fn devices(&self) -> (u16, u16) {
        match self.milli {
            0 => (0, 0),
            part @ 1..1_000 => (1, u16::try_from(part).unwrap_or(1_000)),
            whole => (
                u16::try_from(whole.div_ceil(1_000)).unwrap_or(u16::MAX),
                1_000,
            ),
        }
    }
}
