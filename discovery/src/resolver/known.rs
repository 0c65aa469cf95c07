//! What a client knows of a service: a state machine of events and time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rpc::Endpoint;
use tokio::time::Instant;

use crate::{Instance, Position, WatchEvent};

/// How long instances that were known before discovery restarted may take to register again.
pub(super) const SETTLING: Duration = Duration::from_secs(3);

/// What is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    instances: BTreeMap<(String, String), Entry>,
    position: Option<Position>,
    settled_at: Option<Instant>,
    /// The parts so far of a snapshot that is under way.
    parts: Vec<Instance>,
}

#[derive(Clone, Debug)]
struct Entry {
    instance: Instance,
    /// Whether this life of discovery has said so.
    confirmed: bool,
}

impl Known {
    /// The position of the last event.
    pub(super) fn position(&self) -> Option<Position> {
        self.position
    }

    /// When [`Known::settle`] is due.
    pub(super) fn settled_at(&self) -> Option<Instant> {
        self.settled_at
    }

    /// A new stream begins: half a snapshot of the last one is worth nothing.
    pub(super) fn reconnected(&mut self) {
        self.parts.clear();
    }

    /// Takes an event in.
    pub(super) fn apply(&mut self, event: WatchEvent, now: Instant) {
        let position = event.position();
        if let WatchEvent::Snapshot {
            instances,
            more: true,
            ..
        } = event
        {
            self.parts.extend(instances);
            return;
        }
        let before = self.position.replace(position);
        match event {
            WatchEvent::Snapshot {
                instances: last, ..
            } => {
                let mut instances = std::mem::take(&mut self.parts);
                instances.extend(last);
                let same_life = before.is_some_and(|b| b.incarnation == position.incarnation);
                self.replace(instances, same_life, now);
            }
            WatchEvent::Registered { instance, .. } => self.confirm(instance),
            WatchEvent::Removed {
                service,
                instance,
                epoch,
                ..
            } => {
                let key = (service, instance);
                // A removal that is older than what is known takes nothing away.
                if self
                    .instances
                    .get(&key)
                    .is_some_and(|e| e.instance.epoch <= epoch)
                {
                    self.instances.remove(&key);
                }
            }
            WatchEvent::Progress { .. } => {}
        }
    }

    /// In the same life of discovery a snapshot is the truth. In a new one it is only the
    /// beginning of it: whoever is not in it may be about to register again.
    fn replace(&mut self, instances: Vec<Instance>, same_life: bool, now: Instant) {
        if same_life {
            // What only an earlier life knew still waits for its time.
            self.instances.retain(|_, entry| !entry.confirmed);
        } else {
            for entry in self.instances.values_mut() {
                entry.confirmed = false;
            }
            self.settled_at = (!self.instances.is_empty()).then(|| now + SETTLING);
        }
        for instance in instances {
            self.confirm(instance);
        }
    }

    fn confirm(&mut self, instance: Instance) {
        let key = (
            instance.registration.service.clone(),
            instance.registration.instance.clone(),
        );
        // An address has one owner: whoever had it before is known to be dead.
        let address = &instance.registration.address;
        self.instances.retain(|other, entry| {
            entry.confirmed || *other == key || entry.instance.registration.address != *address
        });
        let entry = Entry {
            instance,
            confirmed: true,
        };
        self.instances.insert(key, entry);
    }

    /// Drops whoever has not registered again in time; unless nobody has, because an instance that
    /// may be gone is better than none.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.settled_at.is_none_or(|at| now < at) {
            return;
        }
        if self.instances.values().any(|entry| entry.confirmed) {
            self.instances.retain(|_, entry| entry.confirmed);
            self.settled_at = None;
        } else if self.instances.is_empty() {
            self.settled_at = None;
        } else {
            self.settled_at = Some(now + SETTLING);
        }
    }

    /// The instances, by service and name.
    pub(super) fn instances(&self) -> Vec<Instance> {
        self.instances
            .values()
            .map(|entry| entry.instance.clone())
            .collect()
    }

    /// Where calls can go: each address once, with the weight of whoever registered it last.
    pub(super) fn endpoints(&self) -> Arc<[Endpoint]> {
        let mut latest: BTreeMap<SocketAddr, (u64, u32)> = BTreeMap::new();
        for entry in self.instances.values() {
            let Some(address) = entry.instance.address() else {
                continue;
            };
            let this = (entry.instance.epoch, entry.instance.registration.weight);
            let kept = latest.entry(address).or_insert(this);
            *kept = this.max(*kept);
        }
        latest
            .into_iter()
            .map(|(address, (_, weight))| Endpoint { address, weight })
            .collect()
    }
}
