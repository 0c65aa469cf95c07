//! Workers that decide in parallel, and steal from each other when they have nothing to do.
//!
//! A region's jobs go to one worker's Chase-Lev deque (Chase and Lev, SPAA 2005). Whoever is idle
//! takes half of another's deque, at most [`STOLEN_MAX`] jobs at a time. On threads, the first of
//! them takes jobs out of the queues in their order while the others decide, who steal from it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_deque::{Steal, Stealer, Worker};

use super::SchedulerMetrics;
use super::fit::Places;
use super::job::Task;

/// The most that is stolen at once.
const STOLEN_MAX: usize = 32;

/// With fewer jobs than this the caller's thread is faster than waking others.
const THREADS_FROM: usize = 256;

/// After so many jobs another worker is told that there are some.
const WAKE_EVERY: usize = 128;

/// The most that are decided in a round.
const ROUND_MAX: usize = 16_384;

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

    /// Decides what there is until no more will come.
    fn decide(&mut self, all: &[Stealer<Task>], places: Places<'_>, complete: &AtomicBool) {
        loop {
            let last = complete.load(Ordering::Acquire);
            while self.step(all, places) {}
            if last {
                return;
            }
            thread::park();
        }
    }
}

/// Tells the others that no more will come, however the one that brings it ends.
struct Complete<'a>(&'a AtomicBool, Vec<thread::Thread>);

impl Drop for Complete<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
        self.1.iter().for_each(thread::Thread::unpark);
    }
}

/// All workers.
pub(crate) struct Crew {
    seats: Vec<Seat>,
    stealers: Vec<Stealer<Task>>,
    in_turns: bool,
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
        }
    }

    pub(crate) fn take_turns(&mut self) {
        self.in_turns = true;
    }

    /// Decides all that `next` brings; `false` if it brings nothing.
    pub(crate) fn run(
        &mut self,
        places: Places<'_>,
        next: &mut dyn FnMut() -> Option<Task>,
    ) -> bool {
        let alone = self.in_turns || self.seats.len() == 1;
        let most = if alone { ROUND_MAX } else { THREADS_FROM };
        let count = self.give(most, next);
        if count == 0 {
            return false;
        }
        if alone || count < most {
            let mut busy = true;
            while busy {
                busy = false;
                for seat in &mut self.seats {
                    busy |= seat.step(&self.stealers, places);
                }
            }
        } else {
            self.run_on_threads(places, next);
        }
        true
    }

    /// Gives jobs to the workers of their regions.
    fn give(&mut self, most: usize, next: &mut dyn FnMut() -> Option<Task>) -> usize {
        for count in 0..most {
            let Some(task) = next() else {
                return count;
            };
            let worker = task.work.tenant as usize % self.seats.len();
            self.seats[worker].deque.push(task);
        }
        most
    }

    fn run_on_threads(&mut self, places: Places<'_>, next: &mut dyn FnMut() -> Option<Task>) {
        let all = &self.stealers;
        let complete = AtomicBool::new(false);
        let Some((first, others)) = self.seats.split_first_mut() else {
            return;
        };
        thread::scope(|scope| {
            let mut end = Complete(&complete, Vec::new());
            for seat in others {
                let handle = scope.spawn(|| seat.decide(all, places, &complete));
                end.1.push(handle.thread().clone());
            }
            for count in THREADS_FROM..ROUND_MAX {
                let Some(task) = next() else {
                    break;
                };
                first.deque.push(task);
                if count.is_multiple_of(WAKE_EVERY) {
                    end.1[count / WAKE_EVERY % end.1.len()].unpark();
                }
            }
            drop(end);
            while first.step(all, places) {}
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
