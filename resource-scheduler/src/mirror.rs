//! What there is: machines, what services ask for, and what is where, as scheduling told it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use model::{
    Affinity, Duty, Effect, Gpus, InstanceId, LicenseTier, NodeId, NodeStatus, ServiceName, Spread,
    Strength, Taint, Topology, Wish, Wishes,
};
use placement::{Cluster, Expected, Facts, Machine, Rejection, Seat, Settings, Task};
use scheduling::{MachineInfo, NodeFactsInfo, PlacementsItem, ServiceWishes, TaskInfo};

use crate::queue::Queue;

/// A copy of what scheduling knows, brought up to date by its stream.
#[derive(Default)]
pub(crate) struct Mirror {
    pub(crate) cluster: Cluster,
    pub(crate) services: BTreeMap<ServiceName, Task>,
    replicas: BTreeMap<ServiceName, u32>,
    expected: Vec<Expected>,
    instances: BTreeMap<InstanceId, Known>,
    pub(crate) queue: Queue,
    /// Why the last one of a service found no place, in words.
    pub(crate) refusals: BTreeMap<ServiceName, (Rejection, String)>,
    /// Where the leader has placed what scheduling has not confirmed yet.
    asked: BTreeMap<InstanceId, Seat>,
    /// Whether everything was told once.
    pub(crate) whole: bool,
}

/// What is known of an instance.
struct Known {
    node: Option<NodeId>,
    since_ms: u64,
}

impl Mirror {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            cluster: Cluster::new(settings),
            ..Self::default()
        }
    }

    /// Takes one item of the stream.
    pub(crate) fn take(&mut self, item: PlacementsItem) {
        let has_news = item.reset || !item.services.is_empty() || !item.services_gone.is_empty();
        if item.reset {
            self.forget();
        }
        for machine in item.machines {
            self.machine(machine);
        }
        for name in item.machines_gone {
            if let Ok(node) = NodeId::new(name) {
                self.cluster.remove_machine(&node);
            }
        }
        for wishes in item.services {
            self.service(wishes);
        }
        for name in item.services_gone {
            if let Ok(name) = ServiceName::new(name) {
                self.services.remove(&name);
                self.replicas.remove(&name);
                self.refusals.remove(&name);
            }
        }
        if has_news {
            self.expect();
        }
        for task in item.tasks {
            self.task(task);
        }
        for id in item.tasks_gone {
            if let Ok(id) = id.parse() {
                self.gone(&id);
            }
        }
        self.whole |= item.whole;
    }

    /// What was asked for is still under way: it counts until the answer says otherwise.
    fn forget(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        *self = Self {
            asked,
            ..Self::new(self.cluster.settings().clone())
        };
    }

    fn machine(&mut self, info: MachineInfo) {
        let Ok(id) = NodeId::new(info.name) else {
            return;
        };
        let (status, duty) = state(&info.status);
        let facts = facts(info.facts);
        let machine = Machine {
            id: id.clone(),
            status,
            duty,
            facts,
        };
        self.cluster.set_machine(&machine);
        // What is there may have been told before the machine was.
        let here = self.instances.iter();
        let here = here.filter(|(_, known)| known.node.as_ref() == Some(&id));
        for (instance, _) in here {
            let task = self.services.get(&instance.slot.service).cloned();
            let (task, seat) = (task.unwrap_or_default(), seat(&id));
            // Most are there already, with the graphics processors that they were given.
            let _ = self.cluster.place(&instance.to_string(), &task, &seat);
        }
        self.queue.stir();
    }

    fn service(&mut self, wishes: ServiceWishes) {
        let Ok(name) = ServiceName::new(wishes.service.clone()) else {
            return;
        };
        match serde_json::from_str(&wishes.wishes) {
            Ok(asked) => {
                let node = wishes.node.and_then(|node| NodeId::new(node).ok());
                let task = Task {
                    node,
                    ..task(&name, asked)
                };
                self.replicas.insert(name.clone(), wishes.replicas);
                self.refusals.remove(&name);
                self.services.insert(name, task);
                self.queue.stir();
            }
            // Placed by what an older version does not understand it would be placed wrongly.
            Err(error) => {
                tracing::error!(service = %name, %error, "what it asks for cannot be read");
                self.services.remove(&name);
            }
        }
    }

    /// What services wish for is what is likely to come.
    fn expect(&mut self) {
        let services = self.services.iter();
        let expected = services.map(|(name, task)| Expected {
            task: task.clone(),
            weight: self.replicas.get(name).copied().unwrap_or(0),
        });
        let gpus = expected.filter(|kind| kind.task.gpu.is_some());
        let gpus: Vec<Expected> = gpus.collect();
        if gpus != self.expected {
            self.cluster.expect(&gpus);
            self.expected = gpus;
        }
    }

    fn task(&mut self, info: TaskInfo) {
        let Ok(id) = info.instance.parse::<InstanceId>() else {
            return;
        };
        let node = info.node.and_then(|node| NodeId::new(node).ok());
        match &node {
            Some(node) => self.settle(&id, node),
            None => self.waits(&id, info.since_ms),
        }
        let since_ms = info.since_ms;
        self.instances.insert(id, Known { node, since_ms });
    }

    /// It is there, whatever was decided here.
    fn settle(&mut self, id: &InstanceId, node: &NodeId) {
        self.queue.remove(id);
        let asked = self.asked.remove(id);
        let name = id.to_string();
        let known = self.cluster.seat(&name);
        if known.as_ref().is_some_and(|seat| seat.node == *node) {
            return;
        }
        self.cluster.release(&name);
        let task = self.services.get(&id.slot.service).cloned();
        let seat = asked.filter(|seat| seat.node == *node);
        let seat = seat.unwrap_or_else(|| self::seat(node));
        // A machine that is not known yet takes in what is there when it becomes known.
        let _ = self.cluster.place(&name, &task.unwrap_or_default(), &seat);
    }

    fn waits(&mut self, id: &InstanceId, since_ms: u64) {
        let name = id.to_string();
        let task = self.services.get(&id.slot.service).cloned();
        let task = task.unwrap_or_default();
        if let Some(seat) = self.asked.get(id) {
            let _ = self.cluster.place(&name, &task, seat);
            return;
        }
        self.cluster.release(&name);
        self.queue.push(id.clone(), task.class, since_ms);
    }

    fn gone(&mut self, id: &InstanceId) {
        self.instances.remove(id);
        self.asked.remove(id);
        self.queue.remove(id);
        if self.cluster.release(&id.to_string()).is_some() {
            self.queue.stir();
        }
    }

    /// It was decided where it goes; scheduling is about to be told.
    pub(crate) fn ask(&mut self, id: InstanceId, task: &Task, seat: Seat) {
        let _ = self.cluster.place(&id.to_string(), task, &seat);
        self.asked.insert(id, seat);
    }

    /// Scheduling has not taken it, as far as is known: it waits again, for a while. What was taken
    /// all the same is told by the stream.
    pub(crate) fn unask(&mut self, id: &InstanceId, now: Instant) {
        if self.asked.remove(id).is_some() {
            self.cluster.release(&id.to_string());
        }
        let waits = self.instances.get(id).filter(|known| known.node.is_none());
        if let Some(since_ms) = waits.map(|known| known.since_ms) {
            let task = self.services.get(&id.slot.service);
            let class = task.map(|task| task.class).unwrap_or_default();
            self.queue.push(id.clone(), class, since_ms);
            self.queue.refused(id, now);
        }
    }

    /// Up to so many whose turn it is.
    pub(crate) fn turn(&mut self, most: usize, now: Instant, now_ms: u64) -> Vec<InstanceId> {
        let mut turn = self.queue.turn(most, now, now_ms);
        turn.retain(|id| !self.asked.contains_key(id));
        turn
    }

    /// Since when it waits, or is where it is.
    pub(crate) fn since_ms(&self, id: &InstanceId) -> Option<u64> {
        self.instances.get(id).map(|known| known.since_ms)
    }

    /// Where it is.
    pub(crate) fn node_of(&self, id: &InstanceId) -> Option<&NodeId> {
        self.instances.get(id)?.node.as_ref()
    }

    /// Whether there is such an instance.
    pub(crate) fn knows(&self, id: &InstanceId) -> bool {
        self.instances.contains_key(id)
    }
}

fn seat(node: &NodeId) -> Seat {
    Seat {
        node: node.clone(),
        devices: Vec::new(),
    }
}

fn state(word: &str) -> (NodeStatus, Duty) {
    match word {
        "ready" => (NodeStatus::Ready, Duty::Open),
        "cordoned" => (NodeStatus::Ready, Duty::Cordoned),
        "draining" => (NodeStatus::Ready, Duty::Draining),
        "lost" => (NodeStatus::Lost, Duty::Open),
        _ => (NodeStatus::Away, Duty::Open),
    }
}

/// What one instance asks for. Where a spec says nothing of it, instances of a service lie apart as
/// far as that is possible: machines fail.
pub(crate) fn task(service: &ServiceName, wishes: Wishes) -> Task {
    let says_nothing = wishes.spread.is_none() && wishes.affinities.is_empty();
    let apart = || Affinity {
        group: service.to_string(),
        within: Topology::Node,
        wish: Wish::Apart,
        strength: Strength::Soft,
    };
    let even = Spread {
        max_skew: 1,
        strength: Strength::Soft,
    };
    Task {
        group: service.to_string(),
        class: wishes.class,
        tenant: wishes.tenant,
        pool: wishes.pool,
        node: None,
        request: wishes.request,
        gpu: wishes.gpu,
        requirements: wishes.requirements,
        tolerations: wishes.tolerations,
        regions: wishes.regions,
        zones: wishes.zones,
        ports: wishes.ports,
        license: wishes.license,
        spread: wishes.spread.or(says_nothing.then_some(even)),
        affinities: if says_nothing {
            vec![apart()]
        } else {
            wishes.affinities
        },
        data: wishes.data,
    }
}

/// What a machine says of itself, in the words of placement. Labels say what has no field of its
/// own there: `pool`, `license` (a tier), `gpu` (a model; how many is a resource), `data` (images
/// and data, with commas), `overcommit`.
fn facts(info: NodeFactsInfo) -> Facts {
    let label = |key: &str| info.labels.get(key).cloned().unwrap_or_default();
    let count = info.resources.get("gpu").copied().unwrap_or(0);
    let data = label("data");
    let data = data.split(',').map(str::trim).filter(|d| !d.is_empty());
    let data: BTreeSet<String> = data.map(str::to_owned).collect();
    Facts {
        pool: label("pool"),
        license: LicenseTier(label("license").parse().unwrap_or(0)),
        gpus: Gpus {
            count: u16::try_from(count).unwrap_or(u16::MAX),
            model: label("gpu"),
        },
        overcommit: label("overcommit") == "true",
        data,
        taints: info.taints.iter().map(taint).collect(),
        region: info.region,
        zone: info.zone,
        labels: info.labels,
        capacity: model::Resources(info.resources),
        ..Facts::default()
    }
}

/// `value` or `value:effect`.
fn taint((key, text): (&String, &String)) -> Taint {
    let (value, effect) = match text.rsplit_once(':') {
        Some((value, "prefer_no_schedule")) => (value, Effect::PreferNoSchedule),
        Some((value, "no_execute")) => (value, Effect::NoExecute),
        Some((value, "no_schedule")) => (value, Effect::NoSchedule),
        _ => (text.as_str(), Effect::NoSchedule),
    };
    Taint {
        key: key.clone(),
        value: value.to_owned(),
        effect,
    }
}
