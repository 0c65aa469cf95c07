//! What happens to the control plane and on the network.

use model::NodeStatus;
use reconciliation::{Command, Report, assignments};

use crate::invariants::{Broken, Verdict};
use crate::mutants::Mutant;
use crate::world::{Event, World};

/// Which way a message goes.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Orders = 0,
    Reports = 1,
}

impl World {
    /// Sends a message over the network: late, twice, out of order, or not at all.
    pub(crate) fn send(&mut self, node: usize, way: Way, message: Event) {
        if self.cuts[node][way as usize] || self.random.chance(self.faults.loss) {
            return;
        }
        let delay_ms_max = self.faults.delay_ms_max;
        if self.random.chance(self.faults.duplication) {
            self.soon(delay_ms_max * 3, message.clone());
        }
        self.soon(delay_ms_max, message);
    }

    pub(crate) fn control_start(&mut self) {
        if self.control.memory.is_none() {
            self.control.start(self.mutant);
            self.plan_due = false;
            self.plan_soon();
        }
    }

    pub(crate) fn control_crash(&mut self) {
        self.control.crash();
        self.fault("control plane killed");
        self.soon(2_000, Event::ControlStart);
    }

    pub(crate) fn plan_soon(&mut self) {
        if !self.plan_due && self.control.memory.is_some() {
            self.plan_due = true;
            let life = self.control.life;
            self.soon(2, Event::Plan { life });
        }
    }

    pub(crate) fn plan(&mut self, life: u64) -> Verdict {
        if life != self.control.life {
            return Ok(());
        }
        self.plan_due = false;
        let now = self.now();
        let wake_at = self.control.reconcile(now).map_err(|violation| Broken {
            invariant: violation.rule,
            by: violation.subject,
        })?;
        if let Some(wake_at) = wake_at {
            self.queue
                .after(wake_at.since_ms(now), Event::Plan { life });
        }
        if !self.control.uncommitted.is_empty() {
            self.soon(3, Event::Commit { life });
            if self.mutant == Mutant::TellBeforeDurable {
                self.tell_all(life);
            }
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self, life: u64) -> Verdict {
        if life != self.control.life {
            return Ok(());
        }
        let writes = self.control.commit();
        self.traffic.commits += 1;
        self.tell_all(life);
        self.invariants.committed(&writes)
    }

    fn tell_all(&mut self, life: u64) {
        for node in 0..self.agents.len() {
            self.soon(2, Event::Tell { life, node });
        }
    }

    /// Agents are only told what is durable.
    pub(crate) fn tell(&mut self, life: u64, node: usize) {
        if life != self.control.life || self.agents[node].state.is_none() {
            return;
        }
        let early = self.mutant == Mutant::TellBeforeDurable;
        let state = match &self.control.memory {
            Some(memory) if early => memory,
            _ => &self.control.durable,
        };
        let orders = Box::new(assignments(state, &self.agents[node].node));
        let life = self.agents[node].life;
        self.send(node, Way::Orders, Event::Orders { node, life, orders });
    }

    pub(crate) fn pulled(&mut self, life: u64, node: usize) {
        if life != self.control.life || self.control.memory.is_none() {
            return;
        }
        self.set_node(node, NodeStatus::Ready);
        self.soon(2, Event::Tell { life, node });
    }

    pub(crate) fn set_node(&mut self, node: usize, status: NodeStatus) {
        let node = self.agents[node].node.clone();
        self.command(Command::SetNode { node, status });
    }

    pub(crate) fn reported(&mut self, life: u64, report: &Report) {
        if life != self.control.life || self.control.memory.is_none() {
            return;
        }
        self.traffic.reports += 1;
        let now = self.now();
        let _ignored = self.control.observe(report, now, self.mutant);
        self.plan_soon();
    }
}
