//! A small fleet to decide about, with the words the tests are written in.

#![expect(dead_code, reason = "each test file uses its own part of these words")]

use model::{
    Artifact, Duty, Exit, Failure, Generation, Instance, InstanceId, InstanceState, NodeId,
    NodeStatus, ProcessIdentity, ServiceName, ServiceSpec, Slot, Timestamp,
};
use reconciliation::{
    Action, Change, Command, CommandError, Create, Ignored, Observation, Plan, Report, Snapshot,
    WaitReason, check, command, execute, observe, plan,
};

pub(crate) const NODE: &str = "here";

pub(crate) fn name(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

pub(crate) fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

pub(crate) fn slot(service: &str, index: u32) -> Slot {
    Slot {
        service: name(service),
        index,
    }
}

pub(crate) fn id(text: &str) -> InstanceId {
    text.parse().unwrap()
}

pub(crate) fn spec(service: &str, replicas: u32) -> ServiceSpec {
    let artifact = Artifact::Command {
        program: "/bin/true".to_owned(),
        args: Vec::new(),
    };
    ServiceSpec::new(name(service), artifact, replicas)
}

/// Another spec of the same service that needs other processes.
pub(crate) fn changed(mut spec: ServiceSpec) -> ServiceSpec {
    spec.env.insert("VERSION".to_owned(), "2".to_owned());
    spec
}

pub(crate) fn exited(code: i32) -> Failure {
    Failure::Exited {
        exit: Exit::Code(code),
        last_lines: vec!["last words".to_owned()],
    }
}

pub(crate) fn process(pid: u32) -> ProcessIdentity {
    ProcessIdentity {
        boot_id: "boot".to_owned(),
        pid,
        start_ticks: u64::from(pid) * 10,
    }
}

/// A fleet on one node, and its clock.
pub(crate) struct Fleet {
    pub(crate) snapshot: Snapshot,
    pub(crate) now: Timestamp,
    pids: u32,
}

impl Fleet {
    /// One node that is ready, at time 1,000,000.
    pub(crate) fn new() -> Self {
        let mut fleet = Self {
            snapshot: Snapshot::new(Some(node(NODE)), 7),
            now: Timestamp(1_000_000),
            pids: 100,
        };
        fleet.set_node(NODE, NodeStatus::Ready);
        fleet
    }

    pub(crate) fn with(specs: impl IntoIterator<Item = ServiceSpec>) -> Self {
        let mut fleet = Self::new();
        for spec in specs {
            fleet.apply(spec);
        }
        fleet
    }

    pub(crate) fn command(&mut self, what: Command) -> Result<Vec<Change>, CommandError> {
        command(&mut self.snapshot, what, self.now)
    }

    pub(crate) fn apply(&mut self, spec: ServiceSpec) -> Vec<Change> {
        self.command(Command::ApplySpec(Box::new(spec))).unwrap()
    }

    pub(crate) fn scale(&mut self, service: &str, replicas: u32) {
        let service = name(service);
        self.command(Command::Scale { service, replicas }).unwrap();
    }

    pub(crate) fn set_node(&mut self, id: &str, status: NodeStatus) {
        let node = node(id);
        self.command(Command::SetNode { node, status }).unwrap();
    }

    pub(crate) fn set_duty(&mut self, id: &str, duty: Duty) {
        let node = node(id);
        self.command(Command::SetDuty { node, duty }).unwrap();
    }

    pub(crate) fn after_ms(&mut self, ms: u64) -> &mut Self {
        self.now = self.now.plus_ms(ms);
        self
    }

    /// A plan that the independent checker agrees with.
    pub(crate) fn plan(&self) -> Plan {
        let plan = plan(&self.snapshot, self.now);
        if let Err(violation) = check(&self.snapshot, &plan, self.now) {
            panic!("{violation}\n{plan:#?}\n{:#?}", self.snapshot);
        }
        plan
    }

    /// Plans and executes once; returns the plan.
    pub(crate) fn step(&mut self) -> Plan {
        let plan = self.plan();
        execute(&mut self.snapshot, &plan, self.now).unwrap();
        plan
    }

    pub(crate) fn report(
        &mut self,
        id: &InstanceId,
        what: Observation,
    ) -> Result<Vec<Change>, Ignored> {
        let node = self.snapshot.instances.get(id).and_then(|i| i.node.clone());
        let report = Report {
            node: node.unwrap_or_else(|| self::node(NODE)),
            instance: id.clone(),
            observation: what,
        };
        observe(&mut self.snapshot, &report, self.now)
    }

    pub(crate) fn start(&mut self, id: &InstanceId) {
        self.pids += 1;
        let process = process(self.pids);
        self.report(id, Observation::Started { process }).unwrap();
    }

    pub(crate) fn ready(&mut self, id: &InstanceId) {
        self.start(id);
        self.report(id, Observation::Ready).unwrap();
    }

    pub(crate) fn fail(&mut self, id: &InstanceId, failure: Failure) {
        self.report(id, Observation::Failed(failure)).unwrap();
    }

    /// One step in a perfect world: what is created becomes healthy, what is stopped ends.
    /// Returns whether anything happened.
    pub(crate) fn ideal_step(&mut self) -> bool {
        let planned = !self.step().actions.is_empty();
        let open: Vec<Instance> = self.snapshot.instances.values().cloned().collect();
        let mut happened = planned;
        for instance in open {
            match instance.state {
                InstanceState::Scheduled => self.ready(&instance.id),
                InstanceState::Starting => {
                    self.report(&instance.id, Observation::Ready).unwrap();
                }
                InstanceState::Stopping => {
                    let exit = Some(Exit::Code(0));
                    self.report(&instance.id, Observation::Stopped { exit })
                        .unwrap();
                }
                _ => continue,
            }
            happened = true;
        }
        happened
    }

    /// Ideal steps until nothing happens any more.
    pub(crate) fn settle(&mut self) -> &mut Self {
        for _ in 0..1_000 {
            if !self.ideal_step() {
                return self;
            }
        }
        panic!("it does not settle: {:#?}", self.plan());
    }

    /// The states of a service's instances that are not over, by slot.
    pub(crate) fn live(&self, service: &str) -> Vec<String> {
        let all = self.snapshot.instances_of(&name(service));
        let live: Vec<_> = all.filter(|i| !i.state.is_terminal()).collect();
        live.iter()
            .map(|i| format!("{} {}", i.id, i.state))
            .collect()
    }
}

pub(crate) fn creations(plan: &Plan) -> Vec<&Create> {
    let creations = plan.actions.iter().filter_map(|action| match action {
        Action::Create(create) => Some(create),
        _ => None,
    });
    creations.collect()
}

/// The plan's actions in short: `create echo.0.1`, `stop echo.2.1`, ...
pub(crate) fn said(plan: &Plan) -> Vec<String> {
    let said = plan.actions.iter().map(|action| match action {
        Action::Create(create) => format!("create {}", create.id),
        Action::Place(place) => format!("place {} on {}", place.instance, place.node),
        Action::LoseNode { node, .. } => format!("lose node {node}"),
        Action::Stop { instance, .. } => format!("stop {instance}"),
        Action::Lose { instance } => format!("lose {instance}"),
        Action::GiveUp { slot, .. } => format!("give up {slot}"),
        Action::Forget { instance } => format!("forget {instance}"),
    });
    said.collect()
}

pub(crate) fn waits(plan: &Plan) -> Vec<&WaitReason> {
    plan.waiting.iter().map(|waiting| &waiting.reason).collect()
}

pub(crate) fn generation(number: u64) -> Generation {
    Generation(number)
}
