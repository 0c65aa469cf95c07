//! What waits in one region.

use std::collections::BTreeMap;

use queueing::{Aging, Deadlines, Discipline, Work};

use super::job::{JobId, Task};

/// Waiting for five minutes is a class. Alerts stay ahead of all that only waited.
const AGING: Aging = Aging {
    each_ms: 300_000,
    best: 1,
};

/// So many of a group are tried on trust; each that finds a place earns two more.
const TRUST: u32 = 8;

/// Tasks of one pool and of about one size: when some of them find no place, the others will not.
/// So a tick's work is bounded by groups, however long the queue is.
type Key = (u32, u32, bool, bool);

fn key(task: &Task) -> Key {
    let [cpu, memory, gpus, _] = task.work.demand;
    let size = cpu.max(memory) | 1;
    (task.pool, size.ilog2(), gpus > 0, task.is_alert())
}

/// Its class by now, its deadline, its id: the least goes next.
type Head = (u8, u64, JobId);

#[derive(Debug)]
struct Group {
    pool: u32,
    alerts: bool,
    queue: Deadlines,
    head: Option<Head>,
    /// How many more of it may be tried.
    credit: u32,
    /// How many are being tried.
    tried: u32,
}

impl Group {
    fn refresh(&mut self, now_ms: u64) {
        let first = self.queue.first(now_ms);
        self.head = first.map(|(class, work)| (class, work.deadline_ms, work.id));
    }

    /// Whether one of it may go next, now or when it is known what became of those that are tried.
    fn is_open(&self) -> bool {
        self.head.is_some() && self.credit + self.tried > 0
    }
}

/// The queue of one region: by class, and within a class by deadline.
#[derive(Debug)]
pub(crate) struct Backlog {
    pub(crate) weight: u32,
    /// What the region consumed for its weight.
    pub(crate) clock: u128,
    /// How many wait, by the class they came with.
    pub(crate) depths: [u64; 3],
    groups: Vec<Group>,
    by_key: BTreeMap<Key, usize>,
    /// The groups whose first go next: of all but alerts, and of alerts.
    next: [Option<usize>; 2],
}

impl Default for Backlog {
    fn default() -> Self {
        Self {
            weight: 1,
            clock: 0,
            depths: [0; 3],
            groups: Vec::new(),
            by_key: BTreeMap::new(),
            next: [None; 2],
        }
    }
}

impl Backlog {
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.depths.iter().sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// Takes it in; it may be tried from the next [`reopen`](Self::reopen) on.
    pub(crate) fn push(&mut self, task: Task) {
        let group = self.group(&task);
        self.groups[group].queue.push(task.work);
        self.depths[usize::from(task.work.class)] += 1;
    }

    fn group(&mut self, task: &Task) -> usize {
        let count = self.groups.len();
        let index = *self.by_key.entry(key(task)).or_insert(count);
        if index == count {
            self.groups.push(Group {
                pool: task.pool,
                alerts: task.is_alert(),
                queue: Deadlines::new(AGING),
                head: None,
                credit: 0,
                tried: 0,
            });
        }
        index
    }

    pub(crate) fn remove(&mut self, id: JobId) -> bool {
        let removed = self
            .groups
            .iter_mut()
            .find_map(|group| group.queue.remove(id));
        if let Some(work) = &removed {
            self.depths[usize::from(work.class)] -= 1;
        }
        removed.is_some()
    }

    /// Takes out what can no longer be in time.
    pub(crate) fn take_late(&mut self, now_ms: u64, late: &mut Vec<JobId>) {
        for group in &mut self.groups {
            while let Some(work) = group.queue.pop_late(now_ms) {
                self.depths[usize::from(work.class)] -= 1;
                late.push(work.id);
            }
        }
    }

    /// Takes out passes that can be in time only if they start before this moment.
    pub(crate) fn take_urgent(&mut self, before_ms: u64) -> Vec<Task> {
        let mut urgent = Vec::new();
        for group in self.groups.iter_mut().filter(|group| !group.alerts) {
            let pool = group.pool;
            let taken: Vec<Work> = std::iter::from_fn(|| group.queue.pop_late(before_ms)).collect();
            for work in taken {
                if work.class == 1 {
                    self.depths[1] -= 1;
                    urgent.push(Task { work, pool });
                } else {
                    group.queue.push(work);
                }
            }
        }
        urgent
    }

    /// Everything may be tried again.
    pub(crate) fn reopen(&mut self, now_ms: u64) {
        for group in &mut self.groups {
            group.refresh(now_ms);
            group.credit = TRUST;
        }
        self.choose();
    }

    /// Whether there is something to try, of alerts or of all others.
    pub(crate) fn has_next(&self, alerts: bool) -> bool {
        self.next[usize::from(alerts)].is_some()
    }

    /// Takes out what goes next. `None`: nothing, or nothing until it is known what became of
    /// others of its group.
    pub(crate) fn take(&mut self, alerts: bool, now_ms: u64) -> Option<Task> {
        let group = &mut self.groups[self.next[usize::from(alerts)]?];
        if group.credit == 0 {
            return None;
        }
        let work = group.queue.pop(now_ms)?;
        let pool = group.pool;
        group.credit -= 1;
        group.tried += 1;
        group.refresh(now_ms);
        self.depths[usize::from(work.class)] -= 1;
        self.choose();
        Some(Task { work, pool })
    }

    /// What became of one that was taken. [`choose`](Self::choose) when all is told.
    pub(crate) fn settle(&mut self, task: Task, placed: bool, now_ms: u64) {
        let index = self.group(&task);
        let group = &mut self.groups[index];
        group.tried -= 1;
        if placed {
            group.credit += 2;
            return;
        }
        group.queue.push(task.work);
        group.refresh(now_ms);
        self.depths[usize::from(task.work.class)] += 1;
    }

    /// Finds out which groups go next.
    pub(crate) fn choose(&mut self) {
        for alerts in [false, true] {
            let groups = self.groups.iter().enumerate();
            let open = groups.filter(|(_, group)| group.alerts == alerts && group.is_open());
            let first = open.min_by_key(|(_, group)| group.head);
            self.next[usize::from(alerts)] = first.map(|(index, _)| index);
        }
    }
}
