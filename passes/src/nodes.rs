//! What scheduling says of the fleet, as the scheduler and the jobs see it.

use std::collections::{BTreeMap, BTreeSet};

use model::{CPU_MILLICORES, MEMORY_BYTES};
use passes::scheduler::{Machine, ResourceRequest};
use rpc::Error;
use scheduling::{InstanceInfo, ListInstancesArgs, NodeInfo, SchedulingClient};

use crate::record::job_of;

/// What its operator names a node's GPUs, as in `--resources=gpu=2`.
const GPUS: &str = "gpu";

/// One look.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) nodes: Vec<NodeInfo>,
    /// Services that are starts of jobs: job and attempt.
    pub(crate) services: BTreeSet<(u64, u32)>,
    /// The newest process of each of them, those that have ended included.
    pub(crate) instances: BTreeMap<(u64, u32), InstanceInfo>,
}

pub(crate) async fn look(scheduling: &SchedulingClient) -> Result<Seen, Error> {
    let nodes = scheduling.nodes(&rpc::Empty {}).await?.nodes;
    let services = scheduling.list_services(&rpc::Empty {}).await?.services;
    let args = ListInstancesArgs {
        service: None,
        ended: true,
    };
    let listed = scheduling.list_instances(&args).await?.instances;
    let mut instances = BTreeMap::<(u64, u32), InstanceInfo>::new();
    for instance in listed {
        let Some(start) = job_of(&instance.service) else {
            continue;
        };
        let newest = instances.get(&start);
        if newest.is_none_or(|newest| newest.generation < instance.generation) {
            instances.insert(start, instance);
        }
    }
    let services = services.iter().filter_map(|service| job_of(&service.name));
    Ok(Seen {
        nodes,
        services: services.collect(),
        instances,
    })
}

impl Seen {
    /// Whether an older start of the job may still run on a node that can be heard.
    pub(crate) fn is_ending(&self, job: u64, attempt: u32) -> bool {
        let mut older = self.instances.range((job, 0)..(job, attempt));
        older.any(|(_, instance)| {
            let node = self
                .nodes
                .iter()
                .find(|n| Some(&n.name) == instance.node.as_ref());
            !instance.state.is_terminal() && node.is_some_and(is_heard)
        })
    }
}

/// Whether what runs there is known to run.
pub(crate) fn is_heard(node: &NodeInfo) -> bool {
    !matches!(node.status.as_str(), "away" | "lost")
}

/// Whether jobs may go on there.
pub(crate) fn keeps_jobs(node: &NodeInfo) -> bool {
    is_heard(node) && node.status != "draining"
}

/// Whether it takes new jobs.
pub(crate) fn is_open(node: &NodeInfo) -> bool {
    node.status == "ready"
}

/// A node that jobs can run on. One that does not say what it has is none.
pub(crate) fn machine_of(node: &NodeInfo) -> Option<Machine> {
    let amount = |name: &str| node.facts.resources.get(name).copied().unwrap_or(0);
    let least = |amount: u64, most: u32| u32::try_from(amount).unwrap_or(most).min(most);
    let capacity = ResourceRequest {
        cpu_millicores: least(amount(CPU_MILLICORES), (1 << 24) - 1),
        memory_mb: least(amount(MEMORY_BYTES) >> 20, (1 << 28) - 1),
        gpu_count: least(amount(GPUS), (1 << 12) - 1),
    };
    let labels = node.facts.labels.iter();
    let usable = capacity.cpu_millicores > 0 && capacity.memory_mb > 0;
    usable.then(|| Machine {
        id: node.name.clone(),
        region: node.facts.region.clone(),
        tags: labels
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        capacity,
        ..Machine::default()
    })
}
