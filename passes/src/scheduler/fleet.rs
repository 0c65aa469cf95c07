//! The machines, shared by all workers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ResourceRequest;
use super::cell::{Cell, LARGEST};
use super::job::{JobId, Task};

/// A machine as it is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Unique.
    pub id: String,
    /// Where it stands.
    pub region: String,
    /// What it has, such as the ground station it is wired to.
    pub tags: BTreeSet<String>,
    /// All of it.
    pub capacity: ResourceRequest,
    /// What is taken. Ignored by [`MachineFleet::add_machine`].
    pub used: ResourceRequest,
    /// Who has taken it. Ignored by [`MachineFleet::add_machine`].
    pub running: Vec<JobId>,
}

impl Machine {
    /// The share that is taken of its CPU or of its memory, whichever is more: 0 to 1.
    #[must_use]
    pub fn utilization(&self) -> f64 {
        utilization(&self.used, &self.capacity)
    }
}

pub(crate) fn utilization(used: &ResourceRequest, capacity: &ResourceRequest) -> f64 {
    let share = |used: u32, capacity: u32| f64::from(used) / f64::from(capacity.max(1));
    let cpu = share(used.cpu_millicores, capacity.cpu_millicores);
    cpu.max(share(used.memory_mb, capacity.memory_mb))
}

/// Why a machine was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// There is one of this name.
    #[error("there is a machine `{0}` already")]
    Taken(String),
    /// It is larger than can be counted.
    #[error("machine `{0}` is larger than 16,777 cores, 256 TiB or 4,095 GPUs")]
    TooLarge(String),
}

/// One job on a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    pub(crate) task: Task,
    pub(crate) end_ms: u64,
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: Arc<str>,
    pub(crate) region: u32,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) capacity: ResourceRequest,
    /// How much of it may be taken for all but alerts.
    limit: ResourceRequest,
    /// One over the capacity, for scores without a division.
    pub(crate) inverse: [f64; 3],
    pub(crate) cell: Cell,
    /// Workers change the cell only; this is kept by the scheduler between their rounds.
    pub(crate) running: Vec<Running>,
    /// No end that was ever expected here is after it.
    pub(crate) busy_until_ms: u64,
    /// Nothing is placed on it any more.
    pub(crate) lost: bool,
}

impl Slot {
    /// How much may be taken for this task.
    pub(crate) fn limit(&self, task: &Task) -> &ResourceRequest {
        if task.is_alert() {
            &self.capacity
        } else {
            &self.limit
        }
    }

    pub(crate) fn begin(&mut self, task: Task, end_ms: u64) {
        self.busy_until_ms = self.busy_until_ms.max(end_ms);
        self.running.push(Running { task, end_ms });
    }

    pub(crate) fn utilization(&self) -> f64 {
        utilization(&self.cell.used(), &self.capacity)
    }
}

/// All machines. Adding one takes `&mut`; what is taken of them changes behind `&`.
#[derive(Debug, Default)]
pub struct MachineFleet {
    pub(crate) slots: Vec<Slot>,
    regions: Vec<String>,
    numbers: BTreeMap<String, u32>,
    names: BTreeMap<String, u32>,
    headroom_pct: u32,
}

impl MachineFleet {
    /// No machines yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one on which nothing runs. One that was lost may come back under its name.
    ///
    /// # Errors
    /// [`AddError`] if the name is taken or the machine too large to be counted.
    pub fn add_machine(&mut self, machine: Machine) -> Result<(), AddError> {
        if !machine.capacity.fits(&LARGEST) {
            return Err(AddError::TooLarge(machine.id));
        }
        if self.slot(&machine.id).is_some() {
            return Err(AddError::Taken(machine.id));
        }
        let region = self.region(&machine.region);
        let one_over = |amount: u32| 1.0 / f64::from(amount.max(1));
        let ResourceRequest {
            cpu_millicores,
            memory_mb,
            gpu_count,
        } = machine.capacity;
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot {
            name: machine.id.as_str().into(),
            region,
            tags: machine.tags,
            capacity: machine.capacity,
            limit: less(&machine.capacity, self.headroom_pct),
            inverse: [cpu_millicores, memory_mb, gpu_count].map(one_over),
            cell: Cell::new(),
            running: Vec::new(),
            busy_until_ms: 0,
            lost: false,
        });
        self.names.insert(machine.id, index);
        Ok(())
    }

    /// All of them, as they are now.
    pub fn machines(&self) -> impl Iterator<Item = Machine> {
        self.slots
            .iter()
            .filter(|slot| !slot.lost)
            .map(|slot| self.view(slot))
    }

    /// One of them, as it is now.
    #[must_use]
    pub fn machine(&self, id: &str) -> Option<Machine> {
        self.slot(id)
            .map(|index| self.view(&self.slots[index as usize]))
    }

    /// The share of all CPU or memory that is taken, whichever is more: 0 to 1.
    #[must_use]
    pub fn utilization(&self) -> f64 {
        let used = self.sum(|slot| slot.cell.used());
        let capacity = self.sum(|slot| slot.capacity);
        let share = |kind: usize| used[kind] as f64 / capacity[kind].max(1) as f64;
        share(0).max(share(1))
    }

    /// So much of the CPU and the memory of each machine is for alerts alone. GPUs are whole, and
    /// few: keeping a share of one free would keep it all free, so none is kept.
    pub(crate) fn keep_free(&mut self, percent: u32) {
        self.headroom_pct = percent.min(100);
        for slot in &mut self.slots {
            slot.limit = less(&slot.capacity, self.headroom_pct);
        }
    }

    /// The number of a machine that is there.
    pub(crate) fn slot(&self, id: &str) -> Option<u32> {
        let index = self.names.get(id).copied()?;
        (!self.slots[index as usize].lost).then_some(index)
    }

    /// The number of a region; a new one if there is none of this name.
    pub(crate) fn region(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.regions.len()).unwrap_or(u32::MAX);
        self.regions.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// All that there is, by kind.
    pub(crate) fn capacity(&self) -> [u64; 3] {
        self.sum(|slot| slot.capacity)
    }

    fn sum(&self, amounts: impl Fn(&Slot) -> ResourceRequest) -> [u64; 3] {
        let mut sum = [0; 3];
        for slot in self.slots.iter().filter(|slot| !slot.lost) {
            let ResourceRequest {
                cpu_millicores,
                memory_mb,
                gpu_count,
            } = amounts(slot);
            for (sum, amount) in sum.iter_mut().zip([cpu_millicores, memory_mb, gpu_count]) {
                *sum += u64::from(amount);
            }
        }
        sum
    }

    fn view(&self, slot: &Slot) -> Machine {
        let running = slot.running.iter();
        Machine {
            id: slot.name.as_ref().to_owned(),
            region: self.regions[slot.region as usize].clone(),
            tags: slot.tags.clone(),
            capacity: slot.capacity,
            used: slot.cell.used(),
            running: running.map(|running| running.task.work.id).collect(),
        }
    }
}

fn less(capacity: &ResourceRequest, percent: u32) -> ResourceRequest {
    let part = |amount: u32| (u64::from(amount) * u64::from(100 - percent) / 100) as u32;
    ResourceRequest {
        cpu_millicores: part(capacity.cpu_millicores),
        memory_mb: part(capacity.memory_mb),
        gpu_count: capacity.gpu_count,
    }
}
