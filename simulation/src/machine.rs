//! A fake machine: a process table in which pids are few and soon used again.

use std::collections::BTreeMap;

use model::{InstanceId, ProcessIdentity};

use crate::random::Random;

/// The largest pid: so few that a free one is soon somebody else's.
const PID_MAX: u32 = 40;

/// One process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Which it is.
    pub identity: ProcessIdentity,
    /// The instance its cgroup is named after; `None`: it is none of ours.
    pub label: Option<InstanceId>,
    /// The port it listens on.
    pub port: Option<u16>,
    /// Whether it answers.
    pub ready: bool,
    /// Whether it has stopped answering; SIGTERM does nothing then.
    pub hung: bool,
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its process table.
    pub processes: BTreeMap<u32, Process>,
    /// How often it was booted.
    pub boots: u64,
    /// Whether it is up.
    pub up: bool,
    ticks: u64,
}

impl Machine {
    /// A machine that was just booted for the first time.
    #[must_use]
    pub fn new() -> Self {
        Self {
            processes: BTreeMap::new(),
            boots: 1,
            up: true,
            ticks: 0,
        }
    }

    /// Starts a process.
    ///
    /// # Errors
    /// Whoever holds the port: a description, when somebody does.
    pub fn fork(
        &mut self,
        label: Option<InstanceId>,
        port: Option<u16>,
        random: &mut Random,
    ) -> Result<ProcessIdentity, String> {
        let mut others = self.processes.values();
        if let Some(holder) = others.find(|other| port.is_some() && other.port == port) {
            return Err(format!("pid {}", holder.identity.pid));
        }
        let free = (2..=PID_MAX).filter(|pid| !self.processes.contains_key(pid));
        let free: Vec<u32> = free.collect();
        if free.is_empty() {
            return Err("too many processes".to_owned());
        }
        // Mostly the lowest: a freed pid is the next one to be given out.
        let choice = if random.chance(700) {
            &free[..1]
        } else {
            &free[..]
        };
        let pid = *random.pick(choice).ok_or("out of pids")?;
        self.ticks += 1;
        let identity = ProcessIdentity {
            boot_id: format!("boot-{}", self.boots),
            pid,
            start_ticks: self.ticks,
        };
        let process = Process {
            identity: identity.clone(),
            label,
            port,
            ready: false,
            hung: false,
        };
        self.processes.insert(pid, process);
        Ok(identity)
    }

    /// The process with exactly this identity, if it lives.
    pub fn get_mut(&mut self, identity: &ProcessIdentity) -> Option<&mut Process> {
        let process = self.processes.get_mut(&identity.pid)?;
        (process.identity == *identity).then_some(process)
    }

    /// The process with exactly this identity, if it lives.
    #[must_use]
    pub fn get(&self, identity: &ProcessIdentity) -> Option<&Process> {
        let process = self.processes.get(&identity.pid)?;
        (process.identity == *identity).then_some(process)
    }

    /// Power off: nothing is left but the disk.
    pub fn crash(&mut self) {
        self.processes.clear();
        self.up = false;
        self.ticks = 0;
    }

    /// Power on.
    pub fn boot(&mut self) {
        self.up = true;
        self.boots += 1;
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}
