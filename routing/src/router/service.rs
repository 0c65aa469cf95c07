//! One service, as calls to it have gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use balancing::breaker::{self, Breaker, State};
use balancing::budget::Budget;
use balancing::hedge::Latencies;
use balancing::split::{Split, choose, number_of};
use balancing::{Endpoint, Outcome, Picked, Pool, Settings};
use parking_lot::Mutex;
use rpc::{Channel, Code, Error, Retry};

use crate::reason;
use crate::wire::{EndpointStats, ServiceStats};

/// Retries for a hundred calls, and as many as are saved up.
const RETRIES: (u32, u32) = (20, 10);
/// Second calls beside slow ones, for a hundred: twice as many as are slower than 95 of 100.
const HEDGES: (u32, u32) = (10, 10);

/// A service and all that is known of it.
pub(super) struct Service {
    name: String,
    begun: Instant,
    known: Mutex<Known>,
}

struct Known {
    pool: Pool,
    breaker: Breaker,
    retries: Budget,
    hedges: Budget,
    latencies: Latencies,
    channels: BTreeMap<String, Channel>,
    draws: u64,
    calls: u64,
    retried: u64,
    hedged: u64,
    refused: u64,
}

/// A call under way to one instance. What came of it is said once; nothing said is "abandoned".
pub(super) struct Try {
    service: Arc<Service>,
    picked: Option<Picked>,
    pub(super) instance: String,
    pub(super) channel: Channel,
    begun: Instant,
}

impl Service {
    pub(super) fn new(name: &str, zone: &str) -> Self {
        let settings = Settings {
            zone: zone.to_owned(),
            ..Settings::default()
        };
        let mut seed = [0; 8];
        // Without randomness the first draws are the same: no harm is done.
        let _ = getrandom::fill(&mut seed);
        Self {
            name: name.to_owned(),
            begun: Instant::now(),
            known: Mutex::new(Known {
                pool: Pool::new(settings),
                breaker: Breaker::new(breaker::Settings::default()),
                retries: Budget::new(RETRIES.0, RETRIES.1),
                hedges: Budget::new(HEDGES.0, HEDGES.1),
                latencies: Latencies::default(),
                channels: BTreeMap::new(),
                draws: u64::from_le_bytes(seed),
                calls: 0,
                retried: 0,
                hedged: 0,
                refused: 0,
            }),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// These are its instances from now on.
    pub(super) fn set(&self, instances: &[discovery::Instance]) {
        let now = self.now_us();
        let mut known = self.known.lock();
        let mut before = std::mem::take(&mut known.channels);
        let mut endpoints = Vec::new();
        for instance in instances {
            let Some(address) = instance.address() else {
                continue;
            };
            let registration = &instance.registration;
            // One that is registered anew is another one.
            let id = format!("{}@{address}", registration.instance);
            let channel = before.remove(&id).unwrap_or_else(|| Channel::to(address));
            known.channels.insert(id.clone(), channel);
            endpoints.push(Endpoint {
                id,
                version: registration.version.clone(),
                zone: registration.zone.clone(),
                weight: registration.weight,
            });
        }
        known.pool.set(endpoints, now);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.lock().pool.is_empty()
    }

    /// Begins a call: the version that it is for, or that it is not to be made.
    pub(super) fn begin(&self, split: &Split, key: &str) -> Result<Option<String>, Error> {
        let now = self.now_us();
        let mut known = self.known.lock();
        if let Err(wait_us) = known.breaker.begin(now) {
            known.refused += 1;
            let message = format!("nearly every call to {} failed a moment ago", self.name);
            let hint = format!("try again in {} ms", wait_us / 1_000 + 1);
            return Err(Error::new(Code::Unavailable, reason::CIRCUIT_OPEN, message)
                .with_hint(hint)
                .with_retry(Retry::Safe));
        }
        known.calls += 1;
        known.retries.called();
        known.hedges.called();
        let number = if key.is_empty() {
            known.draw()
        } else {
            number_of(key)
        };
        let chosen = choose(split, &known.pool.versions(), number);
        Ok(chosen.map(str::to_owned))
    }

    /// The call as a whole has ended; `None` says that nobody waited.
    pub(super) fn ended(&self, succeeded: Option<bool>) {
        let now = self.now_us();
        self.known.lock().breaker.ended(succeeded, now);
    }

    pub(super) fn may_retry(&self) -> bool {
        let mut known = self.known.lock();
        let may = known.retries.spend();
        known.retried += u64::from(may);
        may
    }

    pub(super) fn may_hedge(&self) -> bool {
        let mut known = self.known.lock();
        let may = known.hedges.spend();
        known.hedged += u64::from(may);
        may
    }

    pub(super) fn hedge_after_us(&self) -> Option<u64> {
        self.known.lock().latencies.hedge_after_us()
    }

    /// An instance for the next try.
    pub(super) fn pick(
        self: &Arc<Self>,
        version: Option<&str>,
        tried: &[String],
    ) -> Result<Try, Error> {
        let now = self.now_us();
        let mut known = self.known.lock();
        let draws = (known.draw(), known.draw());
        let picked = known.pool.pick(version, tried, draws, now);
        let found = picked.and_then(|picked| {
            let channel = known.channels.get(&picked.id)?.clone();
            Some((picked, channel))
        });
        let (picked, channel) = found.ok_or_else(|| nobody(&self.name))?;
        Ok(Try {
            service: Arc::clone(self),
            instance: picked.id.clone(),
            picked: Some(picked),
            channel,
            begun: Instant::now(),
        })
    }

    pub(super) fn stats(&self) -> ServiceStats {
        let now = self.now_us();
        let known = self.known.lock();
        let endpoints = known
            .pool
            .stats(now)
            .into_iter()
            .map(|stats| EndpointStats {
                instance: name_of(&stats.endpoint.id).to_owned(),
                version: stats.endpoint.version,
                zone: stats.endpoint.zone,
                outstanding: stats.outstanding,
                latency_us: stats.latency_us,
                picks: stats.picks,
                failures: stats.failures,
                out_for_ms: stats
                    .out_until_us
                    .map(|until| until.saturating_sub(now) / 1_000),
            });
        let breaker = match known.breaker.state(now) {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half-open",
        };
        ServiceStats {
            service: self.name.clone(),
            breaker: breaker.to_owned(),
            calls: known.calls,
            retries: known.retried,
            hedges: known.hedged,
            refused: known.refused,
            endpoints: endpoints.collect(),
        }
    }
}

/// The name of an instance, without its address.
pub(super) fn name_of(id: &str) -> &str {
    id.rsplit_once('@').map_or(id, |(name, _)| name)
}

fn nobody(service: &str) -> Error {
    let message = format!("no instance of {service} can be called");
    Error::new(Code::Unavailable, reason::NO_INSTANCE, message)
        .with_hint(format!("`orrery explain {service}` says why"))
        .with_retry(Retry::Safe)
}

impl Known {
    /// SplitMix64: spread, not secret.
    fn draw(&mut self) -> u64 {
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.draws;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) >> 1
    }
}

impl Try {
    pub(super) fn ended(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        let Some(picked) = self.picked.take() else {
            return;
        };
        let took = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let now = self.service.now_us();
        let mut known = self.service.known.lock();
        known.pool.ended(picked, outcome, took, now);
        if outcome == Outcome::Succeeded {
            known.latencies.add(took);
        }
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        self.end(Outcome::Abandoned);
    }
}
