//! What is under the lock. Time is an argument.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use discovery::{
    Cause, Instance, Position, Registration, ServiceSummary, SnapshotReason, WatchEvent,
};
use membership::{Epoch, LeaseError, Leases, Terms};
use rpc::{Code, Error};
use tokio::sync::oneshot;

use super::history::History;
use super::{Batch, Change, End, Key};

/// Registered instances, altogether.
const INSTANCES_MAX: usize = 50_000;
/// Changes that a watch gets at a time.
const BATCH_MAX: usize = 256;
/// Instances in one part of a snapshot. Each is at most 16 KiB, and a frame at most 4 MiB.
const PART_MAX: usize = 64;
/// A gap of this length between signs of our own life means that this process was stopped.
const PAUSE_MS: u64 = 1_000;
/// For so long after a pause a connection that is lost says nothing about its owner: it may have
/// given us up while we were silent, and be about to come back.
const FORGIVING_MS: u64 = 5_000;

pub(crate) struct State {
    leases: Leases<Key>,
    instances: BTreeMap<Key, Entry>,
    pub(crate) history: History,
    /// Leases that ran out.
    pub(crate) expired: u64,
    pub(crate) ended: bool,
    alive_at_ms: u64,
    forgiving_until_ms: u64,
    seed: RandomState,
    draws: u64,
}

struct Entry {
    instance: Arc<Instance>,
    ends: Option<oneshot::Sender<End>>,
}

/// What a registration was granted.
pub(crate) struct Granted {
    pub(crate) epoch: u64,
    pub(crate) ttl_ms: u64,
}

impl State {
    pub(crate) fn new(first_epoch: u64, history: usize) -> Self {
        Self {
            leases: Leases::resuming_after(Terms::default(), Epoch(first_epoch)),
            instances: BTreeMap::new(),
            history: History::new(history),
            expired: 0,
            ended: false,
            alive_at_ms: 0,
            forgiving_until_ms: 0,
            seed: RandomState::new(),
            draws: 0,
        }
    }

    pub(crate) fn register(
        &mut self,
        key: Key,
        registration: Registration,
        ttl_ms: u64,
        now_ms: u64,
        ends: oneshot::Sender<End>,
    ) -> Result<Granted, Error> {
        self.expire(now_ms);
        if self.instances.len() >= INSTANCES_MAX && !self.instances.contains_key(&key) {
            let message = format!("discovery holds {INSTANCES_MAX} instances, and takes no more");
            return Err(Error::new(
                Code::ResourceExhausted,
                "too-many-instances",
                message,
            ));
        }
        let epoch = self.leases.register(key.clone(), ttl_ms, now_ms).0;
        let instance = Arc::new(Instance {
            registration,
            epoch,
            revision: self.history.next(),
        });
        self.history.push(Change::Registered(Arc::clone(&instance)));
        let entry = Entry {
            instance,
            ends: Some(ends),
        };
        if let Some(before) = self.instances.insert(key, entry) {
            before.end(End::Replaced);
        }
        let ttl_ms = self.leases.granted(ttl_ms);
        Ok(Granted { epoch, ttl_ms })
    }

    pub(crate) fn heartbeat(&mut self, key: &Key, epoch: u64, now_ms: u64) -> Result<u64, Error> {
        self.expire(now_ms);
        self.leases
            .keep_alive(key, Epoch(epoch), now_ms)
            .map_err(refused)
    }

    pub(crate) fn deregister(&mut self, key: &Key, epoch: u64, now_ms: u64) -> Result<(), Error> {
        self.expire(now_ms);
        match self.leases.deregister(key, Epoch(epoch)) {
            Ok(()) => self.remove(key, Cause::Deregistered, End::Deregistered),
            // It is as it was wished to be.
            Err(LeaseError::Ended) => {}
            Err(e) => return Err(refused(e)),
        }
        Ok(())
    }

    pub(crate) fn connection_lost(&mut self, key: &Key, epoch: u64, now_ms: u64) {
        self.expire(now_ms);
        // Then the lease goes on until its TTL is over, or its owner has registered again.
        let says_nothing = self.ended || now_ms < self.forgiving_until_ms;
        if !says_nothing && self.leases.deregister(key, Epoch(epoch)).is_ok() {
            self.remove(key, Cause::ConnectionLost, End::Expired);
        }
    }

    /// Ends the leases whose time is over.
    pub(crate) fn expire(&mut self, now_ms: u64) {
        let gap_ms = now_ms.saturating_sub(self.alive_at_ms);
        self.alive_at_ms = self.alive_at_ms.max(now_ms);
        if gap_ms > PAUSE_MS {
            tracing::warn!(
                gap_ms,
                "this process was stopped or starved; leases are extended"
            );
            self.forgiving_until_ms = now_ms.saturating_add(FORGIVING_MS);
        }
        if self.ended {
            return;
        }
        for expired in self.leases.expire(now_ms) {
            self.expired += 1;
            tracing::info!(instance = expired.owner.1, "a lease ran out");
            self.remove(&expired.owner, Cause::Expired, End::Expired);
        }
    }

    pub(crate) fn next_expiry_ms(&self) -> Option<u64> {
        self.leases.next_expiry()
    }

    fn remove(&mut self, key: &Key, cause: Cause, end: End) {
        let Some(entry) = self.instances.remove(key) else {
            return;
        };
        let epoch = entry.instance.epoch;
        entry.end(end);
        let key = key.clone();
        self.history.push(Change::Removed { key, epoch, cause });
    }

    pub(crate) fn end(&mut self) {
        self.ended = true;
        for entry in self.instances.values_mut() {
            if let Some(ends) = entry.ends.take() {
                // Whoever does not listen any more knows already.
                let _ = ends.send(End::Ending);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.instances.len()
    }

    /// The instances of a service, by name; of all services if it is empty.
    pub(crate) fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Instance> {
        let first = (service.to_owned(), String::new());
        self.instances
            .range(first..)
            .take_while(move |((name, _), _)| service.is_empty() || name == service)
            .map(|(_, entry)| &*entry.instance)
    }

    /// One instance of a service, drawn by weight.
    pub(crate) fn draw(&mut self, service: &str) -> Option<Instance> {
        self.draws = self.draws.wrapping_add(1);
        let random = self.seed.hash_one(self.draws);
        let weight = |instance: &Instance| u64::from(instance.registration.weight);
        let total: u64 = self.of(service).map(weight).sum();
        let mut left = random.checked_rem(total)?;
        for instance in self.of(service) {
            match left.checked_sub(weight(instance)) {
                Some(rest) => left = rest,
                None => return Some(instance.clone()),
            }
        }
        None
    }

    pub(crate) fn services(&self) -> Vec<ServiceSummary> {
        let mut services: Vec<ServiceSummary> = Vec::new();
        for (service, _) in self.instances.keys() {
            match services.last_mut() {
                Some(last) if last.service == *service => last.instances += 1,
                _ => services.push(ServiceSummary {
                    service: service.clone(),
                    instances: 1,
                }),
            }
        }
        services
    }

    /// What comes after a position: the changes, or all that there is.
    pub(crate) fn after(&self, service: &str, after: Option<Position>, incarnation: u64) -> Batch {
        let reason = match after {
            None => SnapshotReason::Asked,
            Some(after) if after.incarnation != incarnation => SnapshotReason::OtherIncarnation,
            Some(after) => match self.history.after(after.revision) {
                Some(changes) => return batch(service, changes, after),
                None => SnapshotReason::Compacted,
            },
        };
        self.snapshot(service, reason, incarnation)
    }

    fn snapshot(&self, service: &str, reason: SnapshotReason, incarnation: u64) -> Batch {
        let position = Position {
            incarnation,
            revision: self.history.revision(),
        };
        let all: Vec<Instance> = self.of(service).cloned().collect();
        let mut parts: Vec<Vec<Instance>> = all.chunks(PART_MAX).map(<[_]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let last = parts.len() - 1;
        let part = |(index, instances)| WatchEvent::Snapshot {
            reason,
            position,
            instances,
            more: index < last,
        };
        Batch {
            events: parts.into_iter().enumerate().map(part).collect(),
            position,
        }
    }
}

fn batch<'a>(
    service: &str,
    changes: impl Iterator<Item = (u64, &'a Change)>,
    after: Position,
) -> Batch {
    let mut position = after;
    let mut events = Vec::new();
    for (revision, change) in changes.take(BATCH_MAX) {
        position.revision = revision;
        let named = match change {
            Change::Registered(instance) => &instance.registration.service,
            Change::Removed { key, .. } => &key.0,
        };
        if service.is_empty() || named == service {
            events.push(event(position, change));
        }
    }
    Batch { events, position }
}

fn event(position: Position, change: &Change) -> WatchEvent {
    match change {
        Change::Registered(instance) => WatchEvent::Registered {
            position,
            instance: Instance::clone(instance),
        },
        Change::Removed { key, epoch, cause } => WatchEvent::Removed {
            position,
            service: key.0.clone(),
            instance: key.1.clone(),
            epoch: *epoch,
            cause: *cause,
        },
    }
}

fn refused(error: LeaseError) -> Error {
    let reason = match error {
        LeaseError::Ended => "lease-expired",
        LeaseError::Replaced { .. } => "lease-replaced",
        LeaseError::FromTheFuture { .. } => "lease-unknown",
    };
    Error::new(Code::Conflict, reason, error.to_string())
}

impl Entry {
    fn end(self, end: End) {
        if let Some(ends) = self.ends {
            // Whoever does not listen any more knows already.
            let _ = ends.send(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use discovery::Protocol;
    use proptest::prelude::*;

    use super::*;

    const LIFE: u64 = 7;

    fn registration(service: &str, instance: &str) -> Registration {
        Registration {
            service: service.into(),
            instance: instance.into(),
            address: "127.0.0.1:10".into(),
            version: String::new(),
            zone: String::new(),
            weight: 100,
            protocol: Protocol::Rpc,
            procedures: vec![],
            labels: BTreeMap::new(),
        }
    }

    fn key(service: &str, instance: &str) -> Key {
        (service.into(), instance.into())
    }

    fn register(state: &mut State, service: &str, instance: &str, now_ms: u64) -> u64 {
        let (ends, _) = oneshot::channel();
        let key = key(service, instance);
        let granted = state.register(key, registration(service, instance), 1_000, now_ms, ends);
        granted.unwrap().epoch
    }

    /// Reads a watch to its end, as a reader does.
    fn read(
        state: &State,
        service: &str,
        known: &mut BTreeMap<Key, u64>,
        after: Option<Position>,
    ) -> Option<Position> {
        let mut at = after;
        loop {
            let batch = state.after(service, at, LIFE);
            for event in batch.events {
                take_in(known, event);
            }
            if at == Some(batch.position) {
                return at;
            }
            at = Some(batch.position);
        }
    }

    fn take_in(known: &mut BTreeMap<Key, u64>, event: WatchEvent) {
        let named = |i: &Instance| {
            (
                i.registration.service.clone(),
                i.registration.instance.clone(),
            )
        };
        match event {
            WatchEvent::Snapshot { instances, .. } => {
                *known = instances.iter().map(|i| (named(i), i.epoch)).collect();
            }
            WatchEvent::Registered { instance, .. } => {
                known.insert(named(&instance), instance.epoch);
            }
            WatchEvent::Removed {
                service,
                instance,
                epoch,
                ..
            } => {
                let removed = known.remove(&(service, instance));
                assert_eq!(removed, Some(epoch), "a removal names what was there");
            }
            WatchEvent::Progress { .. } => {}
        }
    }

    fn all(state: &State, service: &str) -> BTreeMap<Key, u64> {
        let named = |i: &Instance| {
            (
                i.registration.service.clone(),
                i.registration.instance.clone(),
            )
        };
        state.of(service).map(|i| (named(i), i.epoch)).collect()
    }

    #[test]
    fn a_connection_lost_just_after_a_pause_of_ours_ends_no_lease() {
        let mut state = State::new(0, 10);
        let epoch = register(&mut state, "echo", "a", 0);
        state.expire(60_000);
        state.connection_lost(&key("echo", "a"), epoch, 60_010);
        assert_eq!(state.len(), 1);
        assert!(state.heartbeat(&key("echo", "a"), epoch, 60_020).is_ok());
    }

    #[test]
    fn a_connection_lost_at_any_other_time_ends_its_lease_and_no_later_one() {
        let mut state = State::new(0, 10);
        let first = register(&mut state, "echo", "a", 0);
        let second = register(&mut state, "echo", "a", 1);
        state.connection_lost(&key("echo", "a"), first, 2);
        assert_eq!(
            state.len(),
            1,
            "the first registration was replaced already"
        );
        state.connection_lost(&key("echo", "a"), second, 3);
        assert_eq!(state.len(), 0);
    }

    #[test]
    fn after_the_end_nothing_is_removed() {
        let mut state = State::new(0, 10);
        let epoch = register(&mut state, "echo", "a", 0);
        state.end();
        state.connection_lost(&key("echo", "a"), epoch, 1);
        state.expire(900);
        assert_eq!((state.len(), state.history.revision()), (1, 1));
    }

    #[test]
    fn an_instance_is_drawn_by_weight_and_one_of_weight_0_never() {
        let mut state = State::new(0, 10);
        for (name, weight) in [("a", 0), ("b", 1), ("c", 3)] {
            let (ends, _) = oneshot::channel();
            let registration = Registration {
                weight,
                ..registration("echo", name)
            };
            state
                .register(key("echo", name), registration, 1_000, 0, ends)
                .unwrap();
        }
        let mut drawn = BTreeMap::<String, u32>::new();
        for _ in 0..1_000 {
            let name = state.draw("echo").unwrap().registration.instance;
            *drawn.entry(name).or_default() += 1;
        }
        assert!(!drawn.contains_key("a"));
        assert!((150..350).contains(&drawn["b"]), "{drawn:?}");
        assert!(state.draw("ghost").is_none());
    }

    #[test]
    fn services_do_not_mix_even_if_one_name_begins_the_other() {
        let mut state = State::new(0, 10);
        for (service, instance) in [("echo", "a"), ("echo-b", "a"), ("echo", "b"), ("dash", "z")] {
            register(&mut state, service, instance, 0);
        }
        assert_eq!(state.of("echo").count(), 2);
        assert_eq!(state.of("").count(), 4);
        let counts: Vec<_> = state
            .services()
            .into_iter()
            .map(|s| (s.service, s.instances))
            .collect();
        assert_eq!(
            counts,
            [("dash".into(), 1), ("echo".into(), 2), ("echo-b".into(), 1)]
        );
    }

    #[derive(Clone, Debug)]
    enum Step {
        Register(u8),
        Deregister(u8),
        Lose(u8),
        Beat(u8),
        Wait(u64),
        Read,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0_u8..6).prop_map(Step::Register),
            1 => (0_u8..6).prop_map(Step::Deregister),
            1 => (0_u8..6).prop_map(Step::Lose),
            1 => (0_u8..6).prop_map(Step::Beat),
            2 => (1_u64..900).prop_map(Step::Wait),
            1 => Just(Step::Read),
        ]
    }

    proptest! {
        /// The oracle of watches: whoever reads now and then, with whatever history, always ends
        /// up with exactly what is there; no change is missed, none comes twice.
        #[test]
        fn a_watch_never_differs_from_the_truth(
            steps in prop::collection::vec(step(), 0..80),
            history in 0_usize..20,
            service in prop_oneof![Just(""), Just("s0"), Just("s1")],
        ) {
            let mut state = State::new(0, history);
            let mut epochs = BTreeMap::<u8, u64>::new();
            let (mut known, mut position) = (BTreeMap::new(), None);
            let mut now_ms = 0;
            let names = |n: u8| (format!("s{}", n % 2), format!("i{n}"));
            for step in steps {
                match step {
                    Step::Register(n) => {
                        let (service, instance) = names(n);
                        let epoch = register(&mut state, &service, &instance, now_ms);
                        let before = epochs.insert(n, epoch);
                        prop_assert!(before.is_none_or(|before| before < epoch));
                    }
                    Step::Deregister(n) => {
                        let epoch = epochs.get(&n).copied().unwrap_or(0);
                        // A lease that is not held changes nothing; which it is does not matter.
                        let _ = state.deregister(&names(n), epoch, now_ms);
                    }
                    Step::Lose(n) => {
                        let epoch = epochs.get(&n).copied().unwrap_or(0);
                        state.connection_lost(&names(n), epoch, now_ms);
                    }
                    Step::Beat(n) => {
                        let epoch = epochs.get(&n).copied().unwrap_or(0);
                        let _ = state.heartbeat(&names(n), epoch, now_ms);
                    }
                    Step::Wait(ms) => {
                        now_ms += ms;
                        state.expire(now_ms);
                    }
                    Step::Read => {
                        position = read(&state, service, &mut known, position);
                        prop_assert_eq!(&known, &all(&state, service));
                    }
                }
            }
            read(&state, service, &mut known, position);
            prop_assert_eq!(known, all(&state, service));
        }
    }
}
