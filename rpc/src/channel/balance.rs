//! Which of a service's servers gets the next call.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::peer::Peer;
use super::{Endpoint, random};
use crate::{Error, Limits};

pub(super) struct Balance {
    name: String,
    limits: Limits,
    known: Mutex<Known>,
}

struct Known {
    endpoints: watch::Receiver<Arc<[Endpoint]>>,
    peers: Vec<(u32, Arc<Peer>)>,
    first: bool,
}

impl Balance {
    pub(super) fn new(
        name: &str,
        endpoints: watch::Receiver<Arc<[Endpoint]>>,
        limits: Limits,
    ) -> Self {
        let known = Mutex::new(Known {
            endpoints,
            peers: Vec::new(),
            first: true,
        });
        Self {
            name: name.to_owned(),
            limits,
            known,
        }
    }

    /// How many servers are known.
    pub(super) fn len(&self) -> usize {
        self.known.lock().peers.len()
    }

    /// Power of two choices; those that could not be reached a moment ago only if all are so.
    pub(super) fn pick(&self) -> Result<Arc<Peer>, Error> {
        let mut known = self.known.lock();
        if known.first || known.endpoints.has_changed().unwrap_or(false) {
            known.refresh(&self.limits);
        }
        let peers = &known.peers;
        let count = peers.len() as u32;
        let (weight, peer) = match count {
            0 => return Err(self.nobody()),
            1 => &peers[0],
            _ => {
                let first = random() % count;
                let second = (first + 1 + random() % (count - 1)) % count;
                let (a, b) = (&peers[first as usize], &peers[second as usize]);
                let better = if a.1.cost(a.0) <= b.1.cost(b.0) { a } else { b };
                if better.1.is_down() {
                    cheapest_reachable(peers).unwrap_or(better)
                } else {
                    better
                }
            }
        };
        debug_assert!(*weight > 0, "weight 0 is kept out");
        Ok(Arc::clone(peer))
    }

    fn nobody(&self) -> Error {
        let message = format!("no healthy instance of {} is known", self.name);
        Error::unsent("no-instance", message)
            .with_hint(format!("`orrery ps {}` shows its instances", self.name))
    }
}

fn cheapest_reachable(peers: &[(u32, Arc<Peer>)]) -> Option<&(u32, Arc<Peer>)> {
    let reachable = peers.iter().filter(|(_, peer)| !peer.is_down());
    reachable.min_by(|a, b| a.1.cost(a.0).total_cmp(&b.1.cost(b.0)))
}

impl Known {
    /// Keeps the peers that are still there, with their connections.
    fn refresh(&mut self, limits: &Limits) {
        self.first = false;
        let now = Arc::clone(&self.endpoints.borrow_and_update());
        let before = std::mem::take(&mut self.peers);
        self.peers = now
            .iter()
            .filter(|endpoint| endpoint.weight > 0)
            .map(|endpoint| {
                let kept = before.iter().find(|(_, p)| p.address == endpoint.address);
                let peer = kept.map_or_else(
                    || Arc::new(Peer::new(endpoint.address, limits.clone())),
                    |(_, peer)| Arc::clone(peer),
                );
                (endpoint.weight, peer)
            })
            .collect();
    }
}
