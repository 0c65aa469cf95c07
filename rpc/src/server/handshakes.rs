//! Who has connected and not said hello yet: bounded, and the silent ones make room.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The handshakes under way, oldest first. Whoever means it is done in a round trip, so under a
/// flood of silent clients the oldest is the one that least likely means it.
#[derive(Default)]
pub(crate) struct Handshakes(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    next: u64,
    waiting: VecDeque<(u64, Arc<Notify>)>,
}

/// One handshake; leaves the queue when dropped.
pub(crate) struct Handshake<'a> {
    all: &'a Handshakes,
    number: u64,
    evicted: Arc<Notify>,
}

impl Handshakes {
    /// Enters a handshake, and ends the oldest if they are more than `max` then.
    pub(crate) fn enter(&self, max: usize) -> Handshake<'_> {
        let evicted = Arc::new(Notify::new());
        let mut queue = self.0.lock();
        let number = queue.next;
        queue.next += 1;
        queue.waiting.push_back((number, Arc::clone(&evicted)));
        if queue.waiting.len() > max.max(1)
            && let Some((_, oldest)) = queue.waiting.pop_front()
        {
            oldest.notify_one();
        }
        drop(queue);
        Handshake {
            all: self,
            number,
            evicted,
        }
    }

    pub(crate) fn end_all(&self) {
        for (_, waiting) in self.0.lock().waiting.drain(..) {
            waiting.notify_one();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().waiting.len()
    }
}

impl Handshake<'_> {
    /// Waits until this handshake has to make room for others.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        let waiting = &mut self.all.0.lock().waiting;
        if let Ok(at) = waiting.binary_search_by_key(&self.number, |(number, _)| *number) {
            waiting.remove(at);
        }
    }
}
