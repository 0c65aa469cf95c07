//! Workers that decide in parallel, and steal from each other when they have nothing to do.
//!
//! A region's jobs go to one worker's Chase-Lev deque (Chase and Lev, SPAA 2005). Whoever is idle
//! takes half of another's deque, at most [`STOLEN_MAX`] jobs at a time.

use crossbeam_deque::{Steal, Stealer, Worker};

use super::SchedulerMetrics;
use super::fit::Places;
use super::job::Task;

/// The most that is stolen at once.
const STOLEN_MAX: usize = 32;

/// With fewer jobs than this the caller's thread is faster than waking others.
const THREADS_FROM: usize = 256;

/// One worker.
struct Seat {
    index: usize,
    deque: Worker<Task>,
    placed: Vec<(Task, u32)>,
    failed: Vec<Task>,
    decisions: u64,
    attempts: u64,
    successes: u64,
}

impl Seat {
    fn next(&mut self, all: &[Stealer<Task>]) -> Option<Task> {
        if let Some(task) = self.deque.pop() {
            return Some(task);
        }
        let count = all.len();
        (1..count).find_map(|step| self.steal(&all[(self.index + step) % count]))
    }

    fn steal(&mut self, victim: &Stealer<Task>) -> Option<Task> {
        loop {
            self.attempts += 1;
            match victim.steal_batch_with_limit_and_pop(&self.deque, STOLEN_MAX) {
                Steal::Success(task) => {
                    self.successes += 1;
                    return Some(task);
                }
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// Decides one; `false` if there is nothing left anywhere.
    fn step(&mut self, all: &[Stealer<Task>], places: Places<'_>) -> bool {
        let Some(task) = self.next(all) else {
            return false;
        };
        self.decisions += 1;
        match places.place(&task) {
            Some(slot) => self.placed.push((task, slot)),
            None => self.failed.push(task),
        }
        true
    }
}

/// All workers.
pub(crate) struct Crew {
    seats: Vec<Seat>,
    stealers: Vec<Stealer<Task>>,
    in_turns: bool,
    waiting: usize,
}

impl Crew {
    pub(crate) fn new(count: usize) -> Self {
        let seat = |index| Seat {
            index,
            deque: Worker::new_fifo(),
            placed: Vec::new(),
            failed: Vec::new(),
            decisions: 0,
            attempts: 0,
            successes: 0,
        };
        let seats: Vec<Seat> = (0..count).map(seat).collect();
        let stealers = seats.iter().map(|seat| seat.deque.stealer()).collect();
        Self {
            seats,
            stealers,
            in_turns: false,
            waiting: 0,
        }
    }

    pub(crate) fn take_turns(&mut self) {
        self.in_turns = true;
    }

    /// Gives a job to the worker of its region.
    pub(crate) fn give(&mut self, task: Task) {
        let worker = task.work.tenant as usize % self.seats.len();
        self.seats[worker].deque.push(task);
        self.waiting += 1;
    }

    /// How many were given since the last [`run`](Self::run).
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// All decide until nothing is left.
    pub(crate) fn run(&mut self, places: Places<'_>) {
        let count = std::mem::take(&mut self.waiting);
        let all = &self.stealers;
        if self.in_turns || self.seats.len() == 1 || count < THREADS_FROM {
            let mut busy = true;
            while busy {
                busy = false;
                for seat in &mut self.seats {
                    busy |= seat.step(all, places);
                }
            }
            return;
        }
        std::thread::scope(|scope| {
            let (first, others) = self.seats.split_at_mut(1);
            for seat in others {
                scope.spawn(move || while seat.step(all, places) {});
            }
            while first[0].step(all, places) {}
        });
    }

    /// What was decided: a job with its machine, or with none. In each worker's order.
    pub(crate) fn decisions(&mut self) -> Vec<(Task, Option<u32>)> {
        let mut decisions = Vec::new();
        for seat in &mut self.seats {
            decisions.extend(seat.placed.drain(..).map(|(task, slot)| (task, Some(slot))));
            decisions.extend(seat.failed.drain(..).map(|task| (task, None)));
        }
        decisions
    }

    pub(crate) fn count(&self, metrics: &mut SchedulerMetrics) {
        metrics.steal_attempts = self.seats.iter().map(|seat| seat.attempts).sum();
        metrics.steal_successes = self.seats.iter().map(|seat| seat.successes).sum();
        metrics.decisions_by_worker = self.seats.iter().map(|seat| seat.decisions).collect();
    }
}
