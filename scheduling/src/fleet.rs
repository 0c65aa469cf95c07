//! The fleet that boots when nobody says otherwise.

use model::{Artifact, ServiceName, ServiceSpec};

/// One service of the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetEntry {
    /// Its name, its package's, and (unless it says otherwise) its binary's.
    pub name: &'static str,
    /// Its binary.
    pub bin_name: &'static str,
    /// The port of each replica, as far as they have well-known ones.
    pub ports: &'static [u16],
    /// How many replicas; `NAME_REPLICAS` in the environment says otherwise.
    pub replicas: u32,
}

const fn entry(name: &'static str, ports: &'static [u16]) -> FleetEntry {
    FleetEntry {
        name,
        bin_name: name,
        ports,
        replicas: ports.len() as u32,
    }
}

/// Every service that Orrery consists of, scheduling itself apart.
pub const DEFAULT_FLEET: &[FleetEntry] = &[
    entry("discovery", &[10_200]),
    FleetEntry {
        bin_name: "server_v1",
        ..entry("echo", &[10_100, 10_101, 10_102])
    },
    entry("configuration", &[10_500]),
    entry("security", &[11_100]),
    entry("storage", &[10_600, 10_601, 10_602]),
    entry("caching", &[10_700, 10_701, 10_702]),
    entry("routing", &[10_300]),
    entry("monitoring", &[10_800]),
    entry("release", &[11_000]),
    entry("resource-scheduler", &[11_300]),
    entry("passes", &[11_400]),
    entry("pipelines", &[11_500]),
    entry("frontend", &[8_081, 8_082]),
    entry("dashboard", &[8_080]),
];

/// What every other service of the fleet waits for.
const FIRST: &str = "discovery";

/// The specs of the default fleet, with every port `port_offset` higher: a second fleet on one
/// machine.
///
/// # Errors
/// A name of the table is none, or a port does not fit: says which.
pub fn default_fleet(port_offset: u16) -> Result<Vec<ServiceSpec>, String> {
    DEFAULT_FLEET
        .iter()
        .map(|entry| entry.spec(port_offset))
        .collect()
}

impl FleetEntry {
    fn spec(&self, port_offset: u16) -> Result<ServiceSpec, String> {
        let name = ServiceName::new(self.name).map_err(|e| e.to_string())?;
        let artifact = Artifact::Cargo {
            manifest_path: format!("{}/Cargo.toml", self.name),
            bin_name: self.bin_name.to_owned(),
        };
        let mut spec = ServiceSpec::new(name, artifact, self.replicas);
        for port in self.ports {
            let shifted = port.checked_add(port_offset).ok_or_else(|| {
                format!(
                    "port {port} of {} plus {port_offset} is beyond 65535",
                    self.name
                )
            })?;
            spec.ports.well_known.push(shifted);
        }
        if self.name != FIRST {
            let first = ServiceName::new(FIRST).map_err(|e| e.to_string())?;
            spec.after.push(first);
        }
        Ok(spec)
    }

    /// The environment variable that says how many: `RESOURCE_SCHEDULER_REPLICAS`.
    #[must_use]
    pub fn replicas_variable(name: &str) -> String {
        format!("{}_REPLICAS", name.to_uppercase().replace('-', "_"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_default_fleet_is_valid_and_has_21_instances_on_ports_of_their_own() {
        let specs = default_fleet(0).unwrap();
        let mut ports = BTreeSet::new();
        for spec in &specs {
            spec.check().unwrap();
            assert_eq!(spec.ports.well_known.len(), spec.replicas as usize);
            for port in &spec.ports.well_known {
                assert!(ports.insert(*port), "port {port} is given twice");
            }
        }
        assert_eq!(ports.len(), 21);
        assert!(default_fleet(60_000).unwrap_err().contains("beyond 65535"));
    }

    #[test]
    fn a_variable_for_each_service_says_how_many() {
        let name = FleetEntry::replicas_variable("resource-scheduler");
        assert_eq!(name, "RESOURCE_SCHEDULER_REPLICAS");
    }
}
