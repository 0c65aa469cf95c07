//! What keeps work off a machine, and which work does not mind.

use serde::{Deserialize, Serialize};

/// A mark on a machine that keeps work off which does not tolerate it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taint {
    /// What the mark is called.
    pub key: String,
    /// More about it.
    #[serde(default)]
    pub value: String,
    /// What it does to work that does not tolerate it.
    pub effect: Effect,
}

/// What a taint does to work that does not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing new is placed here.
    NoSchedule,
    /// Placed here only when elsewhere is worse.
    PreferNoSchedule,
    /// Nothing new is placed here, and what is here has to leave.
    NoExecute,
}

/// Which taints a task does not mind. What is absent matches anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Toleration {
    /// Taints of this key.
    pub key: Option<String>,
    /// Taints of this value.
    pub value: Option<String>,
    /// Taints with this effect.
    pub effect: Option<Effect>,
}
