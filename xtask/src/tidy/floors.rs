//! The house: which floor each crate stands on (DESIGN section 2), and which arrows stay on one.

/// From the bottom up: an arrow points to a smaller floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Floor {
    Vocabulary,
    Decisions,
    Mechanism,
    Services,
    Faces,
    Proof,
}

use Floor::{Decisions, Faces, Mechanism, Proof, Services, Vocabulary};

/// Every crate, bottom to top. A crate that is missing here fails tidy.
const HOUSE: &[(Floor, &[&str])] = &[
    (Vocabulary, &["model"]),
    (
        Decisions,
        &[
            "reconciliation",
            "placement",
            "queueing",
            "rollout",
            "balancing",
            "membership",
            "identity",
            "orbits",
            "contacts",
            "streaming",
        ],
    ),
    (
        Mechanism,
        &[
            "rpc-derive",
            "rpc",
            "store",
            "supervision",
            "dataflow",
            "chassis",
        ],
    ),
    (
        Services,
        &[
            "discovery",
            "echo",
            "configuration",
            "security",
            "storage",
            "caching",
            "routing",
            "monitoring",
            "scheduling",
            "release",
            "resource-scheduler",
            "passes",
            "pipelines",
        ],
    ),
    (Faces, &["client", "frontend", "dashboard"]),
    (Proof, &["simulation", "benchmarks", "xtask"]),
];

/// Arrows between crates of one floor, apart from services, which may use each other's libs.
const SIDEWAYS: &[(&str, &str)] = &[
    ("reconciliation", "placement"),
    ("reconciliation", "queueing"),
    ("rpc", "rpc-derive"),
    ("chassis", "rpc"),
    ("dashboard", "client"),
    ("frontend", "client"),
];

/// Crates that DESIGN keeps to less than their floor allows.
const NARROW: &[(&str, &[&str])] = &[
    ("rpc", &["rpc-derive"]),
    ("rpc-derive", &[]),
    ("store", &[]),
    ("supervision", &["model"]),
    ("dataflow", &[]),
];

/// Where `name` stands.
pub(crate) fn floor_of(name: &str) -> Option<Floor> {
    HOUSE
        .iter()
        .find(|(_, crates)| crates.contains(&name))
        .map(|(floor, _)| *floor)
}

/// Why the arrow may not be drawn, if it may not.
pub(crate) fn objection(from: &str, to: &str) -> Option<String> {
    let (Some(upper), Some(lower)) = (floor_of(from), floor_of(to)) else {
        return None;
    };
    if lower == Proof {
        return Some(format!("nothing depends on proof, and {to} is proof"));
    }
    if lower > upper {
        return Some(format!("it points up, from {upper:?} to {lower:?}"));
    }
    if let Some((_, allowed)) = NARROW.iter().find(|(name, _)| *name == from) {
        return (!allowed.contains(&to)).then(|| match allowed {
            [] => format!("{from} stands alone"),
            allowed => format!("{from} may depend on {} only", allowed.join(", ")),
        });
    }
    if lower < upper || SIDEWAYS.contains(&(from, to)) {
        return None;
    }
    match (upper, from) {
        (Services, "discovery") => Some("discovery needs no other service, ever".into()),
        (Services, _) => None,
        _ => Some(format!(
            "it stays on the floor {upper:?}, and DESIGN draws none there"
        )),
    }
}
