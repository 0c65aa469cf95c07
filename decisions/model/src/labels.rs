//! What is said about a machine, and what a task asks to be said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is said about a machine: a value for each key.
pub type Labels = BTreeMap<String, String>;

/// Something that a label has to satisfy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Which label.
    pub key: String,
    /// What it has to be.
    #[serde(flatten)]
    pub is: Condition,
}

/// What the value of a label has to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "operator", content = "value", rename_all = "snake_case")]
pub enum Condition {
    /// This.
    Equals(String),
    /// Not this; a label that is not there is not this.
    NotEquals(String),
    /// One of these.
    In(Vec<String>),
    /// Anything, but there.
    Exists,
    /// A whole number below this.
    Below(i64),
    /// A whole number above this.
    Above(i64),
    /// Text that contains a match of this regular expression (`^...$` for all of it).
    Matches(String),
    /// A version, as in `>= 1.4, < 2`: dotted numbers, an optional `v` before and `-rc1` after.
    Version(String),
}

/// How far a licence goes; a higher tier includes the lower ones, and 0 is none.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct LicenseTier(pub u8);
