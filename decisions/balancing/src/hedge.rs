//! When a second call is sent beside a slow one, and the first answer is taken.

/// How many latencies are remembered.
const REMEMBERED: usize = 128;
/// With fewer than this nothing is known.
const ENOUGH: usize = 20;

/// The latencies of the last calls.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    ring: Vec<u64>,
    next: usize,
}

impl Latencies {
    /// A call took so long, in microseconds.
    pub fn add(&mut self, us: u64) {
        if self.ring.len() < REMEMBERED {
            self.ring.push(us);
            return;
        }
        self.ring[self.next] = us;
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// After how long a second call is worth it: longer than 95 of 100 calls take. `None` if too
    /// few are known.
    #[must_use]
    pub fn hedge_after_us(&self) -> Option<u64> {
        if self.ring.len() < ENOUGH {
            return None;
        }
        let mut sorted = self.ring.clone();
        let at = sorted.len() * 95 / 100;
        let (_, found, _) = sorted.select_nth_unstable(at);
        Some(*found)
    }
}
