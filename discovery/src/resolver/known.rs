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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{Cause, Protocol, Registration, SnapshotReason};

    fn instance(name: u64, port: u64, epoch: u64) -> Instance {
        Instance {
            registration: Registration {
                service: "echo".into(),
                instance: format!("echo.{name}"),
                address: format!("127.0.0.1:{port}"),
                version: String::new(),
                zone: String::new(),
                weight: 100,
                protocol: Protocol::Rpc,
                procedures: vec![],
                labels: BTreeMap::new(),
            },
            epoch,
            revision: epoch,
        }
    }

    fn at(incarnation: u64, revision: u64) -> Position {
        Position {
            incarnation,
            revision,
        }
    }

    fn snapshot(position: Position, instances: Vec<Instance>) -> WatchEvent {
        WatchEvent::Snapshot {
            reason: SnapshotReason::Asked,
            position,
            instances,
            more: false,
        }
    }

    fn registered(position: Position, instance: Instance) -> WatchEvent {
        WatchEvent::Registered { position, instance }
    }

    fn removed(position: Position, name: u64, epoch: u64) -> WatchEvent {
        WatchEvent::Removed {
            position,
            service: "echo".into(),
            instance: format!("echo.{name}"),
            epoch,
            cause: Cause::ConnectionLost,
        }
    }

    fn ports(known: &Known) -> Vec<u16> {
        known.endpoints().iter().map(|e| e.address.port()).collect()
    }

    /// Two instances, known from life 1 of discovery, which has just come back as life 2.
    fn restarted(now: Instant) -> Known {
        let mut known = Known::default();
        let both = vec![instance(0, 10, 1), instance(1, 11, 2)];
        known.apply(snapshot(at(1, 2), both), now);
        known.apply(snapshot(at(2, 0), vec![]), now);
        known
    }

    #[test]
    fn events_change_what_is_known() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.apply(snapshot(at(1, 1), vec![instance(0, 10, 1)]), now);
        known.apply(registered(at(1, 2), instance(1, 11, 2)), now);
        assert_eq!(ports(&known), [10, 11]);
        known.apply(removed(at(1, 3), 0, 1), now);
        assert_eq!(ports(&known), [11]);
        assert_eq!(known.position(), Some(at(1, 3)));
    }

    #[test]
    fn in_one_life_of_discovery_a_snapshot_is_the_truth() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.apply(snapshot(at(1, 1), vec![instance(0, 10, 1)]), now);
        known.apply(snapshot(at(1, 5), vec![instance(1, 11, 2)]), now);
        assert_eq!(ports(&known), [11]);
    }

    #[test]
    fn a_snapshot_counts_when_its_last_part_is_there() {
        let (mut known, now) = (Known::default(), Instant::now());
        let part = |more, instance| WatchEvent::Snapshot {
            reason: SnapshotReason::Asked,
            position: at(1, 2),
            instances: vec![instance],
            more,
        };
        known.apply(part(true, instance(0, 10, 1)), now);
        assert_eq!((ports(&known), known.position()), (vec![], None));
        known.reconnected();
        known.apply(part(true, instance(0, 10, 1)), now);
        known.apply(part(false, instance(1, 11, 2)), now);
        assert_eq!(
            (ports(&known), known.position()),
            (vec![10, 11], Some(at(1, 2)))
        );
    }

    #[test]
    fn a_restart_of_discovery_drops_nobody_until_it_has_settled() {
        let now = Instant::now();
        let mut known = restarted(now);
        known.apply(registered(at(2, 1), instance(1, 11, 9)), now);
        known.settle(now + SETTLING / 2);
        assert_eq!(ports(&known), [10, 11], "echo.0 may still come");
        known.settle(now + SETTLING);
        assert_eq!(ports(&known), [11], "echo.0 did not come");
        assert_eq!(known.settled_at(), None);
    }

    #[test]
    fn when_nobody_registers_again_the_last_ones_known_stay() {
        let now = Instant::now();
        let mut known = restarted(now);
        known.settle(now + SETTLING);
        assert_eq!(ports(&known), [10, 11]);
        known.apply(registered(at(2, 1), instance(0, 10, 9)), now + SETTLING);
        known.settle(now + 2 * SETTLING);
        assert_eq!(ports(&known), [10]);
    }

    #[test]
    fn whoever_registers_at_an_address_takes_it_from_whom_discovery_has_forgotten() {
        let now = Instant::now();
        let mut known = restarted(now);
        known.apply(registered(at(2, 1), instance(7, 10, 9)), now);
        let names: Vec<_> = known
            .instances()
            .into_iter()
            .map(|i| i.registration.instance)
            .collect();
        assert_eq!(names, ["echo.1", "echo.7"]);
    }

    #[test]
    fn a_removal_of_an_earlier_registration_takes_nothing_away() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.apply(snapshot(at(1, 5), vec![instance(0, 10, 5)]), now);
        known.apply(removed(at(1, 6), 0, 4), now);
        assert_eq!(ports(&known), [10]);
    }

    #[test]
    fn two_instances_at_one_address_are_one_endpoint() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.apply(
            snapshot(at(1, 5), vec![instance(0, 10, 5), instance(1, 10, 6)]),
            now,
        );
        assert_eq!(ports(&known), [10]);
    }

    proptest! {
        /// However discovery restarts and whatever it has heard by then, an instance that was
        /// known and is not known to be gone stays for the settling time.
        #[test]
        fn restarts_alone_never_drop_anybody(
            lives in prop::collection::vec(prop::collection::vec(0_u64..5, 0..5), 1..6),
        ) {
            let (mut known, now) = (Known::default(), Instant::now());
            known.apply(snapshot(at(0, 0), (0..5).map(|n| instance(n, n + 10, n)).collect()), now);
            for (life, heard) in lives.into_iter().enumerate() {
                let life = life as u64 + 1;
                let again = heard.iter().map(|n| instance(*n, n + 10, 100 * life + n)).collect();
                known.apply(snapshot(at(life, 0), again), now);
                known.settle(now + SETTLING / 2);
                prop_assert_eq!(ports(&known), [10, 11, 12, 13, 14]);
            }
        }
    }
}
