//! The world of one run: who there is, and what happens to them.

use std::collections::BTreeMap;

use model::{Artifact, InstanceId, NodeId, ProcessIdentity, ServiceName, ServiceSpec, Timestamp};
use reconciliation::{Assignments, Command, Report};

use crate::agent::Agent;
use crate::control::Control;
use crate::faults::Faults;
use crate::invariants::{Broken, Invariants, Verdict};
use crate::machine::Machine;
use crate::mutants::Mutant;
use crate::queue::Queue;
use crate::random::Random;

/// How long an instance of the simulated services must be well to start its count anew.
pub const RESET_AFTER_MS: u64 = 1_000;
/// Starts in a row that the simulated services are allowed.
pub const ATTEMPTS_MAX: u32 = 4;
/// How long anything may fail.
pub(crate) const SAFETY_MS: u64 = 6_000;
/// How long the healed world may take until all is well.
pub(crate) const LIVENESS_MS: u64 = 9_000;
const START_MS: u64 = 1_000_000;

/// How a simulated program behaves; its service's name says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// It is ready soon and stays well.
    Steady,
    /// It takes its time to become ready.
    Slow,
    /// It ends before it is ready.
    DiesAtStart,
    /// There is no such file.
    NoSuchFile,
}

impl Program {
    /// The program of a service.
    #[must_use]
    pub fn of(service: &ServiceName) -> Self {
        match service.as_str() {
            "slow" => Self::Slow,
            "doomed" => Self::DiesAtStart,
            "missing" => Self::NoSuchFile,
            _ => Self::Steady,
        }
    }
}

/// Something that happens. `life`: for whom it is meant; a later life does not get it.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Fault,
    Heal,
    Encourage,
    Apply(Box<ServiceSpec>),
    ControlStart,
    Plan {
        life: u64,
    },
    Commit {
        life: u64,
    },
    Tell {
        life: u64,
        node: usize,
    },
    Pull {
        life: u64,
        node: usize,
    },
    Reported {
        life: u64,
        report: Box<Report>,
    },
    AgentStart {
        node: usize,
    },
    MachineBoot {
        node: usize,
    },
    Orders {
        node: usize,
        life: u64,
        orders: Box<Assignments>,
    },
    Tick {
        node: usize,
        life: u64,
    },
    Fork {
        node: usize,
        life: u64,
        id: InstanceId,
        port: Option<u16>,
    },
    Forked {
        node: usize,
        life: u64,
        id: InstanceId,
        identity: ProcessIdentity,
    },
    Escalate {
        node: usize,
        life: u64,
        id: InstanceId,
    },
    Ready {
        node: usize,
        identity: ProcessIdentity,
    },
    Exit {
        node: usize,
        identity: ProcessIdentity,
        exit: model::Exit,
    },
    Notice {
        node: usize,
        life: u64,
        identity: ProcessIdentity,
        exit: model::Exit,
    },
}

/// What happened so far, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Events.
    pub events: u64,
    /// Processes started for instances.
    pub starts: u64,
    /// Reports that reached the control plane.
    pub reports: u64,
    /// Commits of the store.
    pub commits: u64,
    /// Faults, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// The world of one run.
#[derive(Debug)]
pub struct World {
    /// The control plane.
    pub control: Control,
    /// The agents, one for each machine.
    pub agents: Vec<Agent>,
    /// The machines.
    pub machines: Vec<Machine>,
    /// What happened so far.
    pub traffic: Traffic,
    pub(crate) mutant: Mutant,
    pub(crate) random: Random,
    pub(crate) queue: Queue<Event>,
    pub(crate) faults: Faults,
    pub(crate) healed: bool,
    /// For each node: whether orders, and whether reports, are cut off.
    pub(crate) cuts: Vec<[bool; 2]>,
    pub(crate) plan_due: bool,
    pub(crate) invariants: Invariants,
    hash: u64,
}

impl World {
    /// The world of a seed, before anything happened.
    #[must_use]
    pub fn new(seed: u64, mutant: Mutant) -> Self {
        let mut random = Random::new(seed);
        let faults = Faults::sample(&mut random);
        let count = random.between(1, 3);
        let names = (0..count).filter_map(|n| NodeId::new(format!("node-{n}")).ok());
        let agents: Vec<Agent> = names.map(Agent::new).collect();
        let pinned = random.chance(500).then(|| agents[0].node.clone());
        let mut world = Self {
            control: Control::new(pinned, seed),
            machines: agents.iter().map(|_| Machine::new()).collect(),
            cuts: agents.iter().map(|_| [false; 2]).collect(),
            agents,
            traffic: Traffic::default(),
            mutant,
            random,
            queue: Queue::new(START_MS),
            faults,
            healed: false,
            plan_due: false,
            invariants: Invariants::default(),
            hash: 0xcbf2_9ce4_8422_2325,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        self.queue.after(0, Event::ControlStart);
        for node in 0..self.agents.len() {
            self.queue.after(1, Event::AgentStart { node });
        }
        for spec in wishes() {
            self.queue.after(5, Event::Apply(Box::new(spec)));
        }
        self.queue.after(200, Event::Fault);
        self.queue.after(SAFETY_MS, Event::Heal);
    }

    /// Runs to the end of the liveness phase, and returns the hash of all that happened.
    ///
    /// # Errors
    /// The first invariant that was broken.
    pub fn run(&mut self) -> Result<u64, Broken> {
        let end_ms = START_MS + SAFETY_MS + LIVENESS_MS;
        while let Some(event) = self.queue.pop() {
            if self.queue.now_ms() > end_ms {
                break;
            }
            self.traffic.events += 1;
            self.note(&event);
            self.happen(event)?;
            Invariants::step(self)?;
        }
        Invariants::settled(self)?;
        let end = format!("{:?}", self.control.durable);
        end.bytes().for_each(|byte| self.mix(u64::from(byte)));
        Ok(self.hash)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.queue.now_ms())
    }

    pub(crate) fn soon(&mut self, up_to_ms: u64, event: Event) {
        let delay_ms = self.random.between(0, up_to_ms);
        self.queue.after(delay_ms, event);
    }

    pub(crate) fn fault(&mut self, kind: &'static str) {
        *self.traffic.faults.entry(kind).or_default() += 1;
    }

    fn mix(&mut self, value: u64) {
        self.hash = (self.hash ^ value).wrapping_mul(0x0100_0000_01b3);
    }

    /// Takes an event into the hash: its time, its kind and whom it is about.
    fn note(&mut self, event: &Event) {
        let (kind, whom) = match event {
            Event::Fault => (1, 0),
            Event::Heal => (2, 0),
            Event::Encourage => (3, 0),
            Event::Apply(spec) => (4, u64::from(spec.replicas)),
            Event::ControlStart => (5, 0),
            Event::Plan { life } => (6, *life),
            Event::Commit { life } => (7, *life),
            Event::Tell { life, node } => (8, *life ^ *node as u64),
            Event::Pull { life, node } => (9, *life ^ *node as u64),
            Event::Reported { report, .. } => (10, report.instance.generation.0),
            Event::AgentStart { node } => (11, *node as u64),
            Event::MachineBoot { node } => (12, *node as u64),
            Event::Orders { orders, .. } => (13, orders.revision.0),
            Event::Tick { node, .. } => (14, *node as u64),
            Event::Fork { id, .. } => (15, id.generation.0),
            Event::Forked { identity, .. } => (16, u64::from(identity.pid)),
            Event::Escalate { id, .. } => (17, id.generation.0),
            Event::Ready { identity, .. } => (18, u64::from(identity.pid)),
            Event::Exit { identity, .. } => (19, u64::from(identity.pid)),
            Event::Notice { identity, .. } => (20, u64::from(identity.pid)),
        };
        self.mix(self.queue.now_ms());
        self.mix(kind);
        self.mix(whom);
    }

    fn happen(&mut self, event: Event) -> Verdict {
        match event {
            Event::Fault => self.next_fault(),
            Event::Heal => self.heal(),
            Event::Encourage => self.encourage(),
            Event::Apply(spec) => self.apply(spec),
            Event::ControlStart => self.control_start(),
            Event::Plan { life } => return self.plan(life),
            Event::Commit { life } => return self.commit(life),
            Event::Tell { life, node } => self.tell(life, node),
            Event::Pull { life, node } => self.pulled(life, node),
            Event::Reported { life, report } => self.reported(life, &report),
            Event::AgentStart { node } => return self.agent_start(node),
            Event::MachineBoot { node } => return self.machine_boot(node),
            Event::Orders { node, life, orders } => return self.orders(node, life, *orders),
            Event::Tick { node, life } => return self.tick(node, life),
            Event::Fork {
                node,
                life,
                id,
                port,
            } => return self.fork(node, life, &id, port),
            Event::Forked {
                node,
                life,
                id,
                identity,
            } => {
                return self.forked(node, life, &id, identity);
            }
            Event::Escalate { node, life, id } => return self.escalate(node, life, &id),
            Event::Ready { node, identity } => return self.ready(node, &identity),
            Event::Exit {
                node,
                identity,
                exit,
            } => self.exit(node, identity, exit),
            Event::Notice {
                node,
                life,
                identity,
                exit,
            } => {
                return self.notice(node, life, &identity, exit);
            }
        }
        Ok(())
    }

    pub(crate) fn command(&mut self, what: Command) {
        let now = self.now();
        // A refusal is an answer, too: the operators here ask for things that are not there.
        let _refused = self.control.command(what, now);
        self.plan_soon();
    }

    fn apply(&mut self, spec: Box<ServiceSpec>) {
        if self.control.memory.is_none() {
            self.queue.after(100, Event::Apply(spec));
            return;
        }
        self.command(Command::ApplySpec(spec));
    }
}

/// The fleet that operators wish for: one of each kind of program.
pub(crate) fn wishes() -> Vec<ServiceSpec> {
    let kinds: [(&str, u32, &[&str]); 5] = [
        ("steady", 3, &[]),
        ("slow", 2, &["steady"]),
        ("doomed", 1, &[]),
        ("missing", 1, &[]),
        ("late", 2, &["slow"]),
    ];
    let specs = kinds.into_iter().filter_map(|(name, replicas, after)| {
        let artifact = Artifact::Command {
            program: name.to_owned(),
            args: Vec::new(),
        };
        let mut spec = ServiceSpec::new(ServiceName::new(name).ok()?, artifact, replicas);
        spec.after = after
            .iter()
            .filter_map(|a| ServiceName::new(*a).ok())
            .collect();
        spec.restart.backoff_max_ms = 500;
        spec.restart.reset_after_ms = RESET_AFTER_MS;
        spec.restart.attempts_max = ATTEMPTS_MAX;
        if name == "steady" {
            spec.ports.well_known = vec![10_100, 10_101];
        }
        Some(spec)
    });
    specs.collect()
}
