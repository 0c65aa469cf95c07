//! What happens to agents, machines and processes.

use model::{Exit, Failure, InstanceId, ProcessIdentity};
use reconciliation::Assignments;
use reconciliation::node::{Ending, LocalPhase, LocalProcess, NodeAction, diff};

use crate::agent::Record;
use crate::events::Way;
use crate::invariants::{Invariants, Verdict};
use crate::mutants::Mutant;
use crate::world::{ATTEMPTS_MAX, Event, Program, World};

const TICK_MS: u64 = 200;
const GRACE_MS: u64 = 150;

fn exited(exit: Exit) -> Ending {
    let last_lines = Vec::new();
    Ending::Failed(Failure::Exited { exit, last_lines })
}

impl World {
    pub(crate) fn agent_start(&mut self, node: usize) -> Verdict {
        let agent = &mut self.agents[node];
        if agent.state.is_some() || !self.machines[node].up {
            return Ok(());
        }
        agent.start(&self.machines[node], self.mutant);
        let life = agent.life;
        self.tick(node, life)
    }

    pub(crate) fn agent_crash(&mut self, node: usize) {
        if self.agents[node].state.is_some() {
            self.agents[node].crash();
            self.fault("agent killed");
            self.soon(1_500, Event::AgentStart { node });
        }
    }

    pub(crate) fn machine_crash(&mut self, node: usize) {
        if self.machines[node].up {
            self.machines[node].crash();
            self.agents[node].crash();
            self.fault("machine down");
            let down_ms = self.random.between(500, 3_000);
            self.queue.after(down_ms, Event::MachineBoot { node });
        }
    }

    pub(crate) fn machine_boot(&mut self, node: usize) -> Verdict {
        self.machines[node].boot();
        self.agent_start(node)
    }

    pub(crate) fn orders(&mut self, node: usize, life: u64, orders: Assignments) -> Verdict {
        if life != self.agents[node].life {
            return Ok(());
        }
        self.agents[node].obey(orders, self.mutant);
        self.act(node)
    }

    /// The agent's heartbeat: it pulls, asks its processes how they are, and compares again.
    pub(crate) fn tick(&mut self, node: usize, life: u64) -> Verdict {
        if life != self.agents[node].life {
            return Ok(());
        }
        self.queue.after(TICK_MS, Event::Tick { node, life });
        let control = self.control.life;
        self.send(
            node,
            Way::Reports,
            Event::Pull {
                life: control,
                node,
            },
        );
        self.probe(node);
        self.act(node)
    }

    fn probe(&mut self, node: usize) {
        let machine = &self.machines[node];
        let Some(state) = &mut self.agents[node].state else {
            return;
        };
        for local in state.processes.values_mut() {
            let process = local
                .identity
                .as_ref()
                .and_then(|identity| machine.get(identity));
            let Some(process) = process else { continue };
            match local.phase {
                LocalPhase::Starting if process.ready => local.phase = LocalPhase::Healthy,
                LocalPhase::Healthy if process.hung => {
                    let why = "no answer".to_owned();
                    local.phase = LocalPhase::Unhealthy { why };
                }
                _ => {}
            }
        }
    }

    /// Compares orders with what there is, and does what follows.
    fn act(&mut self, node: usize) -> Verdict {
        let agent = &self.agents[node];
        let (Some(state), Some(orders)) = (&agent.state, &agent.orders) else {
            return Ok(());
        };
        for action in diff(orders, state) {
            self.act_on(node, action)?;
        }
        Ok(())
    }

    fn act_on(&mut self, node: usize, action: NodeAction) -> Verdict {
        match action {
            NodeAction::Spawn(assignment) => {
                self.spawn(node, assignment.instance.id, assignment.instance.port);
            }
            NodeAction::Adopt {
                assignment,
                process,
            } => {
                self.adopt(node, &assignment.instance.id, &process);
            }
            NodeAction::Stop { instance, .. } => self.stop(node, &instance, false)?,
            NodeAction::Kill { instance, .. } => self.stop(node, &instance, true)?,
            NodeAction::Report(report) => {
                let life = self.control.life;
                let report = Box::new(report);
                self.send(node, Way::Reports, Event::Reported { life, report });
            }
            NodeAction::Forget { instance } => {
                let agent = &mut self.agents[node];
                agent.disk.remove(&instance);
                if let Some(state) = &mut agent.state {
                    state.processes.remove(&instance);
                }
            }
        }
        Ok(())
    }

    fn spawn(&mut self, node: usize, id: InstanceId, port: Option<u16>) {
        let agent = &mut self.agents[node];
        let record = Record {
            identity: None,
            ended: None,
        };
        agent.disk.insert(id.clone(), record);
        let local = LocalProcess {
            identity: None,
            phase: LocalPhase::Spawning,
        };
        if let Some(state) = &mut agent.state {
            state.processes.insert(id.clone(), local);
        }
        let life = agent.life;
        self.soon(
            3,
            Event::Fork {
                node,
                life,
                id,
                port,
            },
        );
    }

    pub(crate) fn fork(
        &mut self,
        node: usize,
        life: u64,
        id: &InstanceId,
        port: Option<u16>,
    ) -> Verdict {
        if life != self.agents[node].life {
            return Ok(());
        }
        let program = Program::of(&id.slot.service);
        if program == Program::NoSuchFile {
            let why = "no such file".to_owned();
            let retryable = false;
            let failure = Failure::NotStarted { why, retryable };
            self.agents[node].ended(id, Ending::Failed(failure));
            return self.act(node);
        }
        let machine = &mut self.machines[node];
        match machine.fork(Some(id.clone()), port, &mut self.random) {
            Err(owner) => {
                let port = port.unwrap_or_default();
                let failure = Failure::PortTaken { port, owner };
                self.agents[node].ended(id, Ending::Failed(failure));
                self.act(node)
            }
            Ok(identity) => {
                self.traffic.starts += 1;
                self.live(node, program, identity.clone());
                let id = id.clone();
                self.soon(
                    2,
                    Event::Forked {
                        node,
                        life,
                        id: id.clone(),
                        identity,
                    },
                );
                self.invariants.forked(&id, ATTEMPTS_MAX)
            }
        }
    }

    /// What the program does by itself.
    fn live(&mut self, node: usize, program: Program, identity: ProcessIdentity) {
        match program {
            Program::DiesAtStart => {
                let exit = Exit::Code(1);
                self.soon(
                    10,
                    Event::Exit {
                        node,
                        identity,
                        exit,
                    },
                );
            }
            Program::Slow => self.soon(300, Event::Ready { node, identity }),
            _ => self.soon(20, Event::Ready { node, identity }),
        }
    }

    pub(crate) fn forked(
        &mut self,
        node: usize,
        life: u64,
        id: &InstanceId,
        identity: ProcessIdentity,
    ) -> Verdict {
        let agent = &mut self.agents[node];
        let Some(state) = agent.state.as_mut().filter(|_| life == agent.life) else {
            return Ok(());
        };
        if let Some(record) = agent.disk.get_mut(id) {
            record.identity = Some(identity.clone());
        }
        let alive = self.machines[node].get(&identity).is_some();
        if let Some(local) = state.processes.get_mut(id) {
            local.identity = Some(identity);
            local.phase = LocalPhase::Starting;
        }
        if !alive {
            agent.ended(id, exited(Exit::Unknown));
        }
        self.act(node)
    }

    fn adopt(&mut self, node: usize, id: &InstanceId, identity: &ProcessIdentity) {
        let alive = self.machines[node].get(identity).is_some();
        let agent = &mut self.agents[node];
        if !alive {
            return agent.ended(id, exited(Exit::Unknown));
        }
        if let Some(phase) = agent.phase_mut(id) {
            *phase = LocalPhase::Starting;
        }
        self.probe(node);
    }

    fn identity(&self, node: usize, id: &InstanceId) -> Option<ProcessIdentity> {
        let state = self.agents[node].state.as_ref()?;
        state.processes.get(id)?.identity.clone()
    }

    fn stop(&mut self, node: usize, id: &InstanceId, at_once: bool) -> Verdict {
        let Some(identity) = self.identity(node, id) else {
            return Ok(());
        };
        Invariants::signalled(self, node, id, &identity)?;
        if let Some(phase) = self.agents[node].phase_mut(id) {
            *phase = LocalPhase::Stopping;
        }
        if self.mutant == Mutant::StopReportedEarly {
            self.agents[node].ended(id, Ending::Stopped(Some(Exit::Signal(15))));
        }
        let Some(process) = self.machines[node].get(&identity) else {
            let ending = Ending::Stopped(Some(Exit::Unknown));
            self.agents[node].ended(id, ending);
            return Ok(());
        };
        let hung = process.hung;
        let life = self.agents[node].life;
        let id = id.clone();
        self.queue
            .after(GRACE_MS, Event::Escalate { node, life, id });
        if at_once || !hung {
            let exit = Exit::Signal(if at_once { 9 } else { 15 });
            self.soon(
                60,
                Event::Exit {
                    node,
                    identity,
                    exit,
                },
            );
        }
        Ok(())
    }

    /// The grace period is over.
    pub(crate) fn escalate(&mut self, node: usize, life: u64, id: &InstanceId) -> Verdict {
        let identity = self
            .identity(node, id)
            .filter(|_| life == self.agents[node].life);
        let Some(identity) = identity else {
            return Ok(());
        };
        Invariants::signalled(self, node, id, &identity)?;
        let exit = Exit::Signal(9);
        self.soon(
            1,
            Event::Exit {
                node,
                identity,
                exit,
            },
        );
        Ok(())
    }

    pub(crate) fn ready(&mut self, node: usize, identity: &ProcessIdentity) -> Verdict {
        if let Some(process) = self.machines[node].get_mut(identity) {
            process.ready = true;
        }
        self.probe(node);
        self.act(node)
    }

    pub(crate) fn exit(&mut self, node: usize, identity: ProcessIdentity, exit: Exit) {
        let machine = &mut self.machines[node];
        if machine.get(&identity).is_none() {
            return;
        }
        machine.processes.remove(&identity.pid);
        if self.agents[node].state.is_some() {
            let life = self.agents[node].life;
            self.soon(
                2,
                Event::Notice {
                    node,
                    life,
                    identity,
                    exit,
                },
            );
        }
    }

    pub(crate) fn notice(
        &mut self,
        node: usize,
        life: u64,
        identity: &ProcessIdentity,
        exit: Exit,
    ) -> Verdict {
        let agent = &mut self.agents[node];
        let Some(state) = agent.state.as_ref().filter(|_| life == agent.life) else {
            return Ok(());
        };
        let mut processes = state.processes.iter();
        let local = processes.find(|(_, local)| local.identity.as_ref() == Some(identity));
        let Some((id, asked)) = local.map(|(id, local)| (id, local.phase == LocalPhase::Stopping))
        else {
            return Ok(());
        };
        let id = id.clone();
        if self.mutant == Mutant::AgentRestartsByItself && !asked {
            self.soon(
                3,
                Event::Fork {
                    node,
                    life,
                    id,
                    port: None,
                },
            );
            return Ok(());
        }
        let ending = if asked {
            Ending::Stopped(Some(exit))
        } else {
            exited(exit)
        };
        agent.ended(&id, ending);
        self.act(node)
    }
}
