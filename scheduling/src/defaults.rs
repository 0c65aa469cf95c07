//! How the fleet of a file (or the default one) meets what operators made of it.
//!
//! At every start, for each service of the fleet:
//! - one that was never taken over is taken over;
//! - one that nobody changed since follows the fleet, when a newer version of it says otherwise;
//! - one that an operator changed, scaled or deleted stays as the operator left it;
//! - `NAME_REPLICAS` in the environment is an operator too, and the last one to speak.

use std::collections::BTreeMap;
use std::path::Path;

use chassis::{Exit, Failure};
use model::{NodeId, REPLICAS_MAX, Revision, ServiceSpec};
use reconciliation::{Command, Snapshot};
use scheduling::{FleetEntry, default_fleet};

use crate::specs;

/// What to do at start.
#[derive(Debug, Default)]
pub(crate) struct Takeover {
    pub(crate) commands: Vec<Command>,
    /// The fleet as it is now, to compare with at the next start.
    pub(crate) taken: Vec<ServiceSpec>,
}

/// The fleet as it is given: the file, or the default. The default one is pinned to this machine:
/// it has to boot before anybody can say where things run.
pub(crate) fn fleet(
    file: Option<&Path>,
    port_offset: u16,
    local: &NodeId,
) -> Result<Vec<ServiceSpec>, Failure> {
    let Some(path) = file else {
        let wrong = |why| Failure::new(Exit::Config, format!("port_offset: {why}"));
        let mut specs = default_fleet(port_offset).map_err(wrong)?;
        for spec in &mut specs {
            spec.node = Some(local.clone());
        }
        return Ok(specs);
    };
    let text = std::fs::read_to_string(path).map_err(|e| {
        let message = format!("failed to read the fleet {}: {e}", path.display());
        Failure::new(Exit::Config, message).with_hint("`--fleet` names a TOML file of specs")
    })?;
    specs::parse(&text).map_err(|e| {
        let message = format!("the fleet {} is wrong: {e}", path.display());
        Failure::new(Exit::Config, message).with_hint(e.hint)
    })
}

/// Compares the fleet with what was taken over before and with what is wished for now.
pub(crate) fn take_over(
    fleet: Vec<ServiceSpec>,
    before: &BTreeMap<String, ServiceSpec>,
    snapshot: &Snapshot,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Takeover, Failure> {
    let mut takeover = Takeover::default();
    for spec in fleet {
        let now = snapshot.specs.get(&spec.name);
        let wished = match (before.get(spec.name.as_str()), now) {
            (None, None) => Some(spec.clone()),
            (Some(old), Some(now)) if same(old, now) && !same(old, &spec) => Some(spec.clone()),
            _ => None,
        };
        let current = wished.as_ref().or(now);
        let replicas = replicas(spec.name.as_str(), &variable)?;
        // A deleted service comes back when somebody asks for replicas of it.
        let current = current.or(replicas.map(|_| &spec));
        if let Some(current) = current {
            let mut next = current.clone();
            next.replicas = replicas.unwrap_or(next.replicas);
            if wished.is_some() || now.is_none_or(|now| !same(now, &next)) {
                takeover.commands.push(Command::ApplySpec(Box::new(next)));
            }
        }
        takeover.taken.push(spec);
    }
    Ok(takeover)
}

fn same(a: &ServiceSpec, b: &ServiceSpec) -> bool {
    let revision = Revision(0);
    let bare = |spec: &ServiceSpec| ServiceSpec {
        revision,
        ..spec.clone()
    };
    bare(a) == bare(b)
}

fn replicas(
    name: &str,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Option<u32>, Failure> {
    let variable_name = FleetEntry::replicas_variable(name);
    let Some(text) = variable(&variable_name) else {
        return Ok(None);
    };
    let replicas = text.trim().parse().ok().filter(|n| *n <= REPLICAS_MAX);
    replicas.map(Some).ok_or_else(|| {
        let message = format!("the environment ({variable_name}): {text:?} replicas of {name}");
        let hint = format!("give a number from 0 to {REPLICAS_MAX}, or unset {variable_name}");
        Failure::new(Exit::Config, message).with_hint(hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn start(
        snapshot: &mut Snapshot,
        before: &mut BTreeMap<String, ServiceSpec>,
        fleet: Vec<ServiceSpec>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> usize {
        let takeover = take_over(fleet, before, snapshot, variable).unwrap();
        for spec in takeover.taken {
            before.insert(spec.name.to_string(), spec);
        }
        let count = takeover.commands.len();
        for command in takeover.commands {
            reconciliation::command(snapshot, command, model::Timestamp(1)).unwrap();
        }
        count
    }

    fn replicas_of(snapshot: &Snapshot, name: &str) -> Option<u32> {
        let name = model::ServiceName::new(name).unwrap();
        snapshot.specs.get(&name).map(|spec| spec.replicas)
    }

    #[test]
    fn what_operators_changed_stays_and_what_they_left_alone_follows_the_fleet() {
        let (mut snapshot, mut before) = (Snapshot::default(), BTreeMap::new());
        let fleet = |offset| default_fleet(offset).unwrap();
        let all = fleet(0).len();
        assert_eq!(start(&mut snapshot, &mut before, fleet(0), nothing), all);
        assert_eq!(start(&mut snapshot, &mut before, fleet(0), nothing), 0);
        let echo = model::ServiceName::new("echo").unwrap();
        let caching = model::ServiceName::new("caching").unwrap();
        let scale = Command::Scale {
            service: echo,
            replicas: 7,
        };
        let delete = Command::DeleteService { service: caching };
        for command in [scale, delete] {
            reconciliation::command(&mut snapshot, command, model::Timestamp(2)).unwrap();
        }
        assert_eq!(start(&mut snapshot, &mut before, fleet(0), nothing), 0);
        // A newer version has other ports.
        assert_eq!(
            start(&mut snapshot, &mut before, fleet(1), nothing),
            all - 2
        );
        assert_eq!(replicas_of(&snapshot, "echo"), Some(7));
        assert_eq!(replicas_of(&snapshot, "caching"), None);
    }

    #[test]
    fn the_environment_is_the_last_operator_to_speak() {
        let (mut snapshot, mut before) = (Snapshot::default(), BTreeMap::new());
        let fleet = || default_fleet(0).unwrap();
        let five = |name: &str| (name == "ECHO_REPLICAS").then(|| "5".to_owned());
        start(&mut snapshot, &mut before, fleet(), five);
        assert_eq!(replicas_of(&snapshot, "echo"), Some(5));
        assert_eq!(start(&mut snapshot, &mut before, fleet(), nothing), 0);
        assert_eq!(replicas_of(&snapshot, "echo"), Some(5));
        let bad = |_: &str| Some("many".to_owned());
        let failure = take_over(fleet(), &before, &snapshot, bad).unwrap_err();
        assert!(
            failure.message.contains("DISCOVERY_REPLICAS"),
            "{}",
            failure.message
        );
    }
}
