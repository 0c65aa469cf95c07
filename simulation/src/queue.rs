//! Virtual time: what happens next, and never twice at the same place in the order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events by time; those of the same moment in the order in which they were scheduled.
#[derive(Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    scheduled: u64,
    now_ms: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at_ms: u64,
    order: u64,
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl<E> Eq for Entry<E> {}
impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.order).cmp(&(other.at_ms, other.order))
    }
}

impl<E> Queue<E> {
    /// Nothing will happen; it is `now_ms`.
    #[must_use]
    pub fn new(now_ms: u64) -> Self {
        Self {
            heap: BinaryHeap::new(),
            scheduled: 0,
            now_ms,
        }
    }

    /// Virtual time in milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Schedules an event.
    pub fn after(&mut self, delay_ms: u64, event: E) {
        self.scheduled += 1;
        self.heap.push(Reverse(Entry {
            at_ms: self.now_ms + delay_ms,
            order: self.scheduled,
            event,
        }));
    }

    /// Goes to the next event.
    pub fn pop(&mut self) -> Option<E> {
        let Reverse(entry) = self.heap.pop()?;
        self.now_ms = entry.at_ms;
        Some(entry.event)
    }
}
