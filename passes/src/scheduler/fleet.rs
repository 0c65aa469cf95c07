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

fn utilization(used: &ResourceRequest, capacity: &ResourceRequest) -> f64 {
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

/// What a search for a place looks at: small, and one beside the other.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) cell: Cell,
    capacity: ResourceRequest,
    /// How much of it may be taken for all but alerts.
    limit: ResourceRequest,
    /// One over the capacity, for scores without a division.
    inverse: [f32; 3],
}

impl Room {
    fn new(capacity: ResourceRequest, headroom_pct: u32) -> Self {
        let one_over = |amount: u32| 1.0 / amount.max(1) as f32;
        let ResourceRequest {
            cpu_millicores,
            memory_mb,
            gpu_count,
        } = capacity;
        Self {
            cell: Cell::new(),
            capacity,
            limit: less(&capacity, headroom_pct),
            inverse: [cpu_millicores, memory_mb, gpu_count].map(one_over),
        }
    }

    /// How much may be taken for this task.
    pub(crate) fn limit(&self, task: &Task) -> &ResourceRequest {
        if task.is_alert() {
            &self.capacity
        } else {
            &self.limit
        }
    }

    /// What would be left over, as the sum of shares; `None` if there is no room.
    pub(crate) fn left(&self, request: &ResourceRequest, task: &Task) -> Option<f32> {
        let total = self.cell.used().plus(request);
        if !total.fits(self.limit(task)) {
            return None;
        }
        let left = self.capacity.minus(&total);
        let amounts = [left.cpu_millicores, left.memory_mb, left.gpu_count];
        let shares = amounts.iter().zip(self.inverse);
        Some(
            shares
                .map(|(amount, inverse)| *amount as f32 * inverse)
                .sum(),
        )
    }

    pub(crate) fn capacity(&self) -> ResourceRequest {
        self.capacity
    }

    pub(crate) fn utilization(&self) -> f64 {
        utilization(&self.cell.used(), &self.capacity)
    }

    /// What it would be with so much less taken, and with so much more.
    pub(crate) fn utilization_without(&self, request: &ResourceRequest) -> f64 {
        utilization(&self.cell.used().minus(request), &self.capacity)
    }

    pub(crate) fn utilization_with(&self, request: &ResourceRequest) -> f64 {
        utilization(&self.cell.used().plus(request), &self.capacity)
    }
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: Arc<str>,
    pub(crate) region: u32,
    pub(crate) tags: BTreeSet<String>,
    /// Workers change the cell only; this is kept by the scheduler between their rounds.
    pub(crate) running: Vec<Running>,
    /// No end that was ever expected here is after it.
    pub(crate) busy_until_ms: u64,
    /// Nothing more is placed on it for now.
    pub(crate) closed: bool,
    /// It is gone.
    pub(crate) lost: bool,
}

/// All machines of a region together.
#[derive(Clone, Copy, Debug, Default)]
struct Region {
    used: [u64; 3],
    capacity: [u64; 3],
}

impl Region {
    fn utilization(&self) -> f64 {
        let share = |kind: usize| self.used[kind] as f64 / self.capacity[kind].max(1) as f64;
        share(0).max(share(1))
    }
}

/// All machines. Adding one takes `&mut`; what is taken of them changes behind `&`.
#[derive(Debug, Default)]
pub struct MachineFleet {
    pub(crate) slots: Vec<Slot>,
    /// Of each slot.
    pub(crate) rooms: Vec<Room>,
    regions: Vec<String>,
    sums: Vec<Region>,
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
        add(&mut self.sums[region as usize].capacity, &machine.capacity);
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.rooms
            .push(Room::new(machine.capacity, self.headroom_pct));
        self.slots.push(Slot {
            name: machine.id.as_str().into(),
            region,
            tags: machine.tags,
            running: Vec::new(),
            busy_until_ms: 0,
            closed: false,
            lost: false,
        });
        self.names.insert(machine.id, index);
        Ok(())
    }

    /// All of them, as they are now.
    pub fn machines(&self) -> impl Iterator<Item = Machine> {
        let all = self.slots.iter().zip(&self.rooms);
        all.filter(|(slot, _)| !slot.lost)
            .map(|(slot, room)| self.view(slot, room))
    }

    /// One of them, as it is now.
    #[must_use]
    pub fn machine(&self, id: &str) -> Option<Machine> {
        let index = self.slot(id)? as usize;
        Some(self.view(&self.slots[index], &self.rooms[index]))
    }

    /// The share of all CPU or memory that is taken, whichever is more: 0 to 1.
    #[must_use]
    pub fn utilization(&self) -> f64 {
        self.whole().utilization()
    }

    /// So much of the CPU and the memory of each machine is for alerts alone. GPUs are whole, and
    /// few: keeping a share of one free would keep it all free, so none is kept.
    pub(crate) fn keep_free(&mut self, percent: u32) {
        self.headroom_pct = percent.min(100);
        for room in &mut self.rooms {
            room.limit = less(&room.capacity, self.headroom_pct);
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
        self.sums.push(Region::default());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// All that there is, by kind.
    pub(crate) fn capacity(&self) -> [u64; 3] {
        self.whole().capacity
    }

    fn whole(&self) -> Region {
        let mut whole = Region::default();
        for region in &self.sums {
            for kind in 0..3 {
                whole.used[kind] += region.used[kind];
                whole.capacity[kind] += region.capacity[kind];
            }
        }
        whole
    }

    /// How full each region is, by number.
    pub(crate) fn levels(&self) -> Vec<f64> {
        self.sums.iter().map(Region::utilization).collect()
    }

    /// It runs there from now on; what it needs is taken already.
    pub(crate) fn begin(&mut self, task: Task, index: u32, end_ms: u64) {
        let slot = &mut self.slots[index as usize];
        slot.busy_until_ms = slot.busy_until_ms.max(end_ms);
        slot.running.push(Running { task, end_ms });
        add(&mut self.sums[slot.region as usize].used, &task.req());
    }

    /// It runs there no longer, and gives back what it had.
    pub(crate) fn end(&mut self, job: JobId, index: u32) -> Option<Running> {
        let slot = &mut self.slots[index as usize];
        let at = slot.running.iter().position(|r| r.task.work.id == job)?;
        let running = slot.running.swap_remove(at);
        let request = running.task.req();
        self.rooms[index as usize].cell.give(&request);
        subtract(&mut self.sums[slot.region as usize].used, &request);
        Some(running)
    }

    /// Nothing is placed there any more; returns what ran there.
    pub(crate) fn lose(&mut self, index: u32) -> Vec<Running> {
        let slot = &mut self.slots[index as usize];
        slot.lost = true;
        let sum = &mut self.sums[slot.region as usize];
        subtract(&mut sum.capacity, &self.rooms[index as usize].capacity);
        for running in &slot.running {
            subtract(&mut sum.used, &running.task.req());
        }
        std::mem::take(&mut slot.running)
    }

    fn view(&self, slot: &Slot, room: &Room) -> Machine {
        let running = slot.running.iter();
        Machine {
            id: slot.name.as_ref().to_owned(),
            region: self.regions[slot.region as usize].clone(),
            tags: slot.tags.clone(),
            capacity: room.capacity,
            used: room.cell.used(),
            running: running.map(|running| running.task.work.id).collect(),
        }
    }
}

fn kinds(amounts: &ResourceRequest) -> [u64; 3] {
    let ResourceRequest {
        cpu_millicores,
        memory_mb,
        gpu_count,
    } = *amounts;
    [cpu_millicores.into(), memory_mb.into(), gpu_count.into()]
}

fn add(sum: &mut [u64; 3], amounts: &ResourceRequest) {
    sum.iter_mut()
        .zip(kinds(amounts))
        .for_each(|(sum, amount)| *sum += amount);
}

fn subtract(sum: &mut [u64; 3], amounts: &ResourceRequest) {
    let pairs = sum.iter_mut().zip(kinds(amounts));
    pairs.for_each(|(sum, amount)| *sum = sum.saturating_sub(amount));
}

fn less(capacity: &ResourceRequest, percent: u32) -> ResourceRequest {
    let part = |amount: u32| (u64::from(amount) * u64::from(100 - percent) / 100) as u32;
    ResourceRequest {
        cpu_millicores: part(capacity.cpu_millicores),
        memory_mb: part(capacity.memory_mb),
        gpu_count: capacity.gpu_count,
    }
}
