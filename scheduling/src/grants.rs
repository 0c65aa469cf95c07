//! What each service of the fleet may do to the others, without anybody's token.
//!
//! It is a table so that it can be read in one go, and so that a service that needs more is a line
//! in a diff. What a service does *for* a caller it does with that caller's token.

use identity::Grant;

/// Every instance: is found, finds others, learns which tokens there are, puts on record what
/// people do, follows what is configured.
const EVERYBODY: &[&str] = &[
    "discovery:*:read",
    "discovery:register:write",
    "discovery:heartbeat:write",
    "discovery:deregister:write",
    "security:watch_tokens:read",
    "security:record:write",
    // Says who it is, and nobody else.
    "security:authority:read",
    "security:sign_certificate:write",
    "configuration:*:read",
    "configuration:declare:write",
];

/// And beyond that:
const MORE: &[(&str, &[&str])] = &[
    ("caching", &["storage:*:read"]),
    // The page shows everything; what it changes, it changes as whoever looks at it.
    ("dashboard", &["*:*:read"]),
    ("frontend", &["*:describe:read"]),
    ("monitoring", &["*:metrics:read", "*:describe:read"]),
    ("passes", &["scheduling:*:write"]),
    ("pipelines", &["scheduling:*:write", "storage:*:write"]),
    (
        "release",
        &[
            "scheduling:*:write",
            "monitoring:*:read",
            "*:metrics:read",
            "*:describe:read",
        ],
    ),
    ("resource-scheduler", &["scheduling:*:write"]),
    ("routing", &["*:describe:read"]),
    // It hands secrets to the instances whose specs name them.
    (
        "scheduling",
        &["*:metrics:read", "security:get_secret:write"],
    ),
    ("security", &["discovery:trust:write"]),
    ("storage", &["storage:*:read"]),
];

/// What instances of this service may do by themselves.
#[must_use]
pub fn grants_of(service: &str) -> Vec<Grant> {
    let more = MORE.iter().filter(|(name, _)| *name == service);
    let more = more.flat_map(|(_, grants)| grants.iter());
    let all = EVERYBODY.iter().chain(more);
    // The tests read every line of the table.
    all.filter_map(|grant| grant.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DEFAULT_FLEET;

    #[test]
    fn every_line_is_a_grant_of_a_service_that_there_is() {
        let lines = EVERYBODY
            .iter()
            .chain(MORE.iter().flat_map(|(_, grants)| grants.iter()));
        for line in lines {
            assert!(line.parse::<Grant>().is_ok(), "{line}");
        }
        for (name, _) in MORE {
            let known = DEFAULT_FLEET.iter().any(|entry| entry.name == *name);
            assert!(known || *name == "scheduling", "{name}");
        }
    }

    #[test]
    fn only_scheduling_reads_secrets() {
        let dear: Grant = "security:get_secret:write".parse().unwrap();
        let reads = |name: &str| grants_of(name).iter().any(|g| g.includes(&dear));
        let readers = DEFAULT_FLEET.iter().map(|entry| entry.name);
        let readers: Vec<&str> = readers.chain(["scheduling"]).filter(|n| reads(n)).collect();
        assert_eq!(readers, ["scheduling"]);
    }

    #[test]
    fn nobody_may_make_tokens_or_change_roles_by_itself() {
        let dear: Grant = "security:create_token:write".parse().unwrap();
        for entry in DEFAULT_FLEET {
            let grants = grants_of(entry.name);
            assert!(!grants.iter().any(|g| g.includes(&dear)), "{}", entry.name);
        }
    }
}
