//! Faults, operators who change their minds, and the end of both.

use std::collections::BTreeSet;

use model::{Exit, NodeStatus, ServiceName};
use reconciliation::Command;

use crate::mutants::Mutant;
use crate::world::{Event, World, wishes};

/// When the healed world's operators give every slot that was given up a new chance.
const ENCOURAGE_AFTER_MS: u64 = 3_000;

impl World {
    pub(crate) fn next_fault(&mut self) {
        if self.healed {
            return;
        }
        let pause_ms = self.random.between(1, self.faults.pause_ms * 2);
        self.queue.after(pause_ms, Event::Fault);
        let node = usize::try_from(self.random.draw()).unwrap_or(0) % self.agents.len();
        match self.random.between(0, 9) {
            0 if self.faults.control_crashes => self.control_crash_if_up(),
            1 if self.faults.agent_crashes => self.agent_fails(node),
            2 if self.faults.machine_crashes => self.machine_fails(node),
            3 if self.faults.process_crashes => self.process_crash(node),
            4 if self.faults.hangs => self.hang(node),
            5 if self.faults.foreigners => self.foreigner(node),
            6 if self.faults.cuts => self.cut(node),
            7..=9 if self.faults.operators => self.operator(),
            _ => {}
        }
    }

    fn control_crash_if_up(&mut self) {
        if self.control.memory.is_some() {
            self.control_crash();
        }
    }

    /// Only a machine that is known to be down is ever declared lost.
    fn machine_fails(&mut self, node: usize) {
        if self.machines[node].up {
            self.machine_crash(node);
            if self.random.chance(500) {
                self.set_node(node, NodeStatus::Lost);
            }
        }
    }

    /// Sometimes, while an agent is away, one of its processes dies and a foreigner gets the pid.
    fn agent_fails(&mut self, node: usize) {
        self.agent_crash(node);
        if self.faults.foreigners && self.random.chance(500) {
            self.process_crash(node);
            self.foreigner(node);
        }
    }

    fn process_crash(&mut self, node: usize) {
        let processes: Vec<_> = self.machines[node].processes.values().cloned().collect();
        let Some(process) = self.random.pick(&processes).cloned() else {
            return;
        };
        if process.label.is_some() {
            self.fault("process killed");
            self.exit(node, process.identity, Exit::Signal(9));
        }
    }

    fn hang(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        let ready = machine
            .processes
            .values_mut()
            .find(|p| p.ready && p.label.is_some());
        if let Some(process) = ready {
            process.hung = true;
            self.fault("process hangs");
        }
    }

    /// A process of somebody else takes a pid, and perhaps one of our ports, for a while.
    fn foreigner(&mut self, node: usize) {
        if !self.machines[node].up {
            return;
        }
        let ports = [
            None,
            None,
            Some(10_100),
            Some(12_000),
            Some(12_001),
            Some(12_003),
        ];
        let port = self.random.pick(&ports).copied().flatten();
        let machine = &mut self.machines[node];
        if let Ok(identity) = machine.fork(None, port, &mut self.random) {
            self.fault("foreign process");
            let exit = Exit::Code(0);
            self.soon(
                2_000,
                Event::Exit {
                    node,
                    identity,
                    exit,
                },
            );
        }
    }

    fn cut(&mut self, node: usize) {
        let way = usize::from(self.random.chance(500));
        let cut = &mut self.cuts[node][way];
        *cut = !*cut;
        if *cut {
            self.fault("one-way cut");
            if self.mutant == Mutant::LostWithoutFence {
                self.set_node(node, NodeStatus::Lost);
            }
        }
    }

    fn operator(&mut self) {
        let wishes = wishes();
        let Some(wish) = self.random.pick(&wishes).cloned() else {
            return;
        };
        self.fault("operator");
        let service = wish.name.clone();
        let replicas = u32::try_from(self.random.between(0, 4)).unwrap_or(0);
        match self.random.between(0, 9) {
            0..=2 => self.command(Command::Scale { service, replicas }),
            3..=4 => self.command(Command::RestartService { service }),
            5 => self.command(Command::DeleteService { service }),
            6..=7 => self.stop_one(&service),
            _ => {
                let mut wish = wish;
                let version = self.random.between(1, 3).to_string();
                wish.env.insert("VERSION".to_owned(), version);
                self.command(Command::ApplySpec(Box::new(wish)));
            }
        }
    }

    fn stop_one(&mut self, service: &ServiceName) {
        let Some(memory) = &self.control.memory else {
            return;
        };
        let ids: Vec<_> = memory.instances_of(service).map(|i| i.id.clone()).collect();
        if let Some(instance) = self.random.pick(&ids).cloned() {
            let restart = self.random.chance(500);
            self.command(if restart {
                Command::RestartInstance { instance }
            } else {
                Command::StopInstance { instance }
            });
        }
    }

    /// Nothing fails any more, and foreigners leave.
    pub(crate) fn heal(&mut self) {
        self.healed = true;
        self.faults.heal();
        self.cuts.fill([false; 2]);
        for machine in &mut self.machines {
            machine
                .processes
                .retain(|_, process| process.label.is_some());
        }
        self.queue.after(ENCOURAGE_AFTER_MS, Event::Encourage);
    }

    /// The last word of the operators: the whole fleet, except that nothing may wait for what is
    /// left out. Slots that were given up get a new chance by it.
    pub(crate) fn encourage(&mut self) {
        if self.control.memory.is_none() {
            return self.queue.after(100, Event::Encourage);
        }
        for wish in wishes() {
            let service = wish.name.clone();
            let is_leaf = service.as_str() == "late" || service.as_str() == "doomed";
            let leave_out = is_leaf && self.random.chance(300);
            self.command(if leave_out {
                Command::DeleteService { service }
            } else {
                Command::ApplySpec(Box::new(wish))
            });
        }
        let memory = self.control.memory.iter();
        let slots = memory.flat_map(|memory| &memory.slots);
        let given_up = slots.filter(|(_, record)| record.given_up.is_some());
        let services: BTreeSet<_> = given_up.map(|(slot, _)| slot.service.clone()).collect();
        for service in services {
            self.command(Command::RestartService { service });
        }
    }
}
