//! The openb trace, and the method of the paper that came with it: pods in a random order, and
//! more of them drawn again until they ask for 130 percent of all graphics processors; one by one,
//! none ever leaves, what fits nowhere is passed over.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::{CPU_MILLICORES, GpuRequest, Gpus, MEMORY_BYTES, NodeId, Resources};
use placement::{Cluster, Expected, Facts, Machine, Settings, Task, Weights};

/// Machines and tasks as they were recorded.
pub(crate) struct Trace {
    pub(crate) machines: Vec<Machine>,
    pub(crate) tasks: Vec<Task>,
}

/// Where the next task goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Policy {
    /// Anywhere that takes it.
    Random,
    /// By score.
    Scored(Weights),
}

/// A file of the shared data: `$ORRERY_SHARED`, or `../shared/data` beside the repository.
fn text(name: &str) -> String {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let root = std::env::var("ORRERY_SHARED").map_or_else(|_| beside(), PathBuf::from);
    let path = root.join("openb").join(name);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; set ORRERY_SHARED", path.display()))
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(field: &str) -> T {
    field.parse().expect("a number")
}

fn amounts(millicores: &str, mebibytes: &str) -> Resources {
    Resources::default()
        .with(CPU_MILLICORES, number(millicores))
        .with(MEMORY_BYTES, number::<u64>(mebibytes) << 20)
}

fn machine(line: &str) -> Machine {
    let fields: Vec<&str> = line.split(',').collect();
    let facts = Facts {
        capacity: amounts(fields[1], fields[2]),
        gpus: Gpus {
            count: number(fields[3]),
            model: fields[4].to_owned(),
        },
        ..Facts::default()
    };
    let id = NodeId::new(fields[0]).expect("a name");
    Machine {
        facts,
        ..Machine::new(id, Resources::default())
    }
}

fn task(line: &str) -> Task {
    let fields: Vec<&str> = line.split(',').collect();
    let milli = number::<u32>(fields[3]) * number::<u32>(fields[4]);
    let models = fields[5].split('|').filter(|model| !model.is_empty());
    Task {
        request: amounts(fields[1], fields[2]),
        gpu: (milli > 0).then(|| GpuRequest {
            milli,
            models: models.map(str::to_owned).collect(),
        }),
        ..Task::default()
    }
}

/// Xorshift: the same numbers from the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % most
    }
}

impl Trace {
    pub(crate) fn read() -> Self {
        let machines = text("openb_node_list_all_node.csv");
        let tasks = text("openb_pod_list_default.csv");
        Self {
            machines: machines.lines().skip(1).map(machine).collect(),
            tasks: tasks.lines().skip(1).map(task).collect(),
        }
    }

    /// Thousandths of all graphics processors.
    fn capacity(&self) -> u64 {
        let counts = self.machines.iter().map(|machine| machine.facts.gpus.count);
        counts.map(|count| u64::from(count) * 1_000).sum()
    }

    fn arrivals(&self, dice: &mut Dice) -> Vec<&Task> {
        let mut arrivals: Vec<&Task> = self.tasks.iter().collect();
        for at in (1..arrivals.len()).rev() {
            arrivals.swap(at, dice.below(at + 1));
        }
        let mut asked: u64 = arrivals.iter().map(|task| milli(task)).sum();
        while asked < self.capacity() * 130 / 100 {
            let task = &self.tasks[dice.below(self.tasks.len())];
            asked += milli(task);
            arrivals.push(task);
        }
        arrivals
    }

    /// The share of all graphics processors that is given away in the end, in percent.
    pub(crate) fn run(&self, policy: Policy, seed: u64) -> f64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let weights = match policy {
            Policy::Random => Weights::first_fit(),
            Policy::Scored(weights) => weights,
        };
        let mut cluster = Cluster::new(Settings {
            headroom_percent: 0,
            weights,
            ..Settings::default()
        });
        for machine in &self.machines {
            cluster.set_machine(machine);
        }
        let (mut given, mut seen) = (0, Seen::default());
        for (at, task) in self.arrivals(&mut dice).into_iter().enumerate() {
            if weights.fragmentation > 0 {
                seen.add(task, &mut cluster);
            }
            let seat = match policy {
                Policy::Random => random(&mut cluster, task, &mut dice),
                Policy::Scored(_) => cluster.decide(task).ok().map(|choice| choice.seat),
            };
            if let Some(seat) = seat {
                let placed = cluster.place(&at.to_string(), task, &seat);
                placed.expect("a machine that is there");
                given += milli(task);
            }
        }
        percent(given, self.capacity())
    }
}

fn random(cluster: &mut Cluster, task: &Task, dice: &mut Dice) -> Option<placement::Seat> {
    let fitting = cluster.fitting(task);
    if fitting.is_empty() {
        return None;
    }
    let (node, _) = fitting[dice.below(fitting.len())].clone();
    let there = Task {
        node: Some(node),
        ..task.clone()
    };
    cluster.decide(&there).ok().map(|choice| choice.seat)
}

/// What came so far is what is expected; nothing is known of what comes later.
#[derive(Default)]
struct Seen {
    kinds: BTreeMap<Task, u32>,
    count: usize,
    next: usize,
}

impl Seen {
    /// Kinds are learnt anew when as many have come again, and every thousand.
    fn add(&mut self, task: &Task, cluster: &mut Cluster) {
        *self.kinds.entry(task.clone()).or_default() += 1;
        self.count += 1;
        if self.count < self.next.max(32) {
            return;
        }
        self.next = (self.count * 2).min(self.count + 1_000);
        let kinds = self.kinds.iter().map(|(task, weight)| Expected {
            task: task.clone(),
            weight: *weight,
        });
        cluster.expect(&kinds.collect::<Vec<_>>());
    }
}

fn milli(task: &Task) -> u64 {
    task.gpu.as_ref().map_or(0, |gpu| u64::from(gpu.milli))
}

#[expect(clippy::cast_precision_loss, reason = "a table shows two digits")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64 * 100.0
}
