//! What a machine says of itself.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use model::{CPU_MILLICORES, DISK_BYTES, MEMORY_BYTES, NodeFacts, PIDS, Resources};

/// What its operator says of a machine.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// As in `gpu=a100,disk=ssd`.
    pub labels: String,
    /// As in `dedicated=passes`.
    pub taints: String,
    /// What it has beside what is found, as in `gpu=2,antenna=1`.
    pub resources: String,
    /// What fails together.
    pub zone: String,
    /// What is near each other.
    pub region: String,
}

impl Told {
    /// What is told, and what is found: processors, memory, the disk under `data`, process ids.
    ///
    /// # Errors
    /// A text that is no list of `name=value`: says which.
    pub fn facts(&self, host: IpAddr, data: &Path) -> Result<NodeFacts, String> {
        let mut resources = found(data);
        for (name, amount) in pairs("resources", &self.resources)? {
            let number = amount.parse();
            let number = number.map_err(|_| format!("resources: {name}={amount} is no number"))?;
            resources.0.insert(name, number);
        }
        Ok(NodeFacts {
            host: host.to_string(),
            resources,
            labels: pairs("labels", &self.labels)?,
            taints: pairs("taints", &self.taints)?,
            zone: self.zone.clone(),
            region: self.region.clone(),
        })
    }
}

fn pairs(what: &str, text: &str) -> Result<BTreeMap<String, String>, String> {
    let items = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    let pairs = items.map(|item| match item.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("{what}: {item:?} is no `name=value`")),
    });
    pairs.collect()
}

/// What cannot be found is not said, and nothing that asks for it is placed here.
fn found(data: &Path) -> Resources {
    let cores = std::thread::available_parallelism();
    let cores = cores.ok().and_then(|cores| u64::try_from(cores.get()).ok());
    let disk = rustix::fs::statvfs(data);
    let disk = disk
        .ok()
        .map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize));
    let all = [
        (CPU_MILLICORES, cores.map(|cores| cores * 1_000)),
        (MEMORY_BYTES, memory_bytes()),
        (DISK_BYTES, disk),
        (PIDS, number_in("/proc/sys/kernel/pid_max")),
    ];
    let known = all.into_iter();
    let known = known.filter_map(|(name, amount)| Some((name.to_owned(), amount?)));
    Resources(known.collect())
}

fn number_in(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn memory_bytes() -> Option<u64> {
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    let line = table.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_says_what_it_has_and_what_it_was_told() {
        let told = Told {
            labels: "disk=ssd, gpu=a100".to_owned(),
            resources: "gpu=2".to_owned(),
            zone: "attic".to_owned(),
            ..Told::default()
        };
        let host = IpAddr::from([10, 0, 0, 7]);
        let facts = told.facts(host, Path::new("/")).unwrap();
        assert_eq!(facts.host, "10.0.0.7");
        assert_eq!(facts.labels["gpu"], "a100");
        assert_eq!(facts.resources.get("gpu"), 2);
        for name in [CPU_MILLICORES, MEMORY_BYTES, DISK_BYTES, PIDS] {
            assert!(facts.resources.get(name) > 0, "{name}");
        }
    }

    #[test]
    fn what_is_no_pair_is_refused_by_name() {
        let told = Told {
            labels: "ssd".to_owned(),
            ..Told::default()
        };
        let refused = told.facts(IpAddr::from([127, 0, 0, 1]), Path::new("/"));
        assert_eq!(refused.unwrap_err(), "labels: \"ssd\" is no `name=value`");
    }
}
