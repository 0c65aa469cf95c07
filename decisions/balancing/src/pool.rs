//! Where the next call goes.

use std::collections::BTreeMap;

use crate::outliers::{OutlierSettings, Record};

/// One place where a service runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Where it stands; empty if nothing is known.
    pub zone: String,
    /// Its share of the calls, relative to the others'; 0 keeps calls away.
    pub weight: u32,
}

/// How a pool decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Whoever stands here is preferred; nobody if empty.
    pub zone: String,
    /// A neighbour is preferred as long as it costs at most so many times what a stranger does.
    pub zone_factor: f64,
    /// How fast old latencies are forgotten, in microseconds.
    pub decay_us: f64,
    /// How long a new endpoint takes to get its full share, in microseconds.
    pub slow_start_us: u64,
    /// Who is out.
    pub outliers: OutlierSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            zone: String::new(),
            zone_factor: 2.0,
            decay_us: 300_000.0,
            slow_start_us: 2_000_000,
            outliers: OutlierSettings::default(),
        }
    }
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, if only with an error that is the caller's own.
    Succeeded,
    /// The endpoint could not answer.
    Failed,
    /// Nobody waited for the answer: all that is known is how long there was none.
    Abandoned,
}

/// An endpoint that was picked: to be given back when the call has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    /// Its name.
    pub id: String,
    /// Which life of it: one that left and came back is another.
    life: u64,
}

/// What is known of one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointStats {
    /// Which.
    pub endpoint: Endpoint,
    /// Calls in flight.
    pub outstanding: u32,
    /// Its latency, a mean that forgets, in microseconds; 0 if nothing is known.
    pub latency_us: f64,
    /// How often it was picked.
    pub picks: u64,
    /// How often it failed.
    pub failures: u64,
    /// Until when it is out, if it is.
    pub out_until_us: Option<u64>,
}

/// A cost counts as less if it is less than this share of the other.
const SAME: f64 = 0.9;

#[derive(Clone, Debug)]
struct Known {
    endpoint: Endpoint,
    life: u64,
    since_us: u64,
    outstanding: u32,
    latency_us: f64,
    measured_us: u64,
    picks: u64,
    failures: u64,
    record: Record,
}

/// All endpoints of a service.
#[derive(Clone, Debug)]
pub struct Pool {
    settings: Settings,
    known: BTreeMap<String, Known>,
    lives: u64,
}

impl Pool {
    /// A pool without endpoints.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            known: BTreeMap::new(),
            lives: 0,
        }
    }

    /// These are the endpoints from now on. Those that stay keep what is known of them; those that
    /// leave get no more calls, and what they have in flight may end.
    pub fn set(&mut self, endpoints: impl IntoIterator<Item = Endpoint>, now_us: u64) {
        let mut before = std::mem::take(&mut self.known);
        // The first ones there are have nobody to be compared with.
        let is_first = before.is_empty();
        for endpoint in endpoints {
            let known = before.remove(&endpoint.id);
            let same = known.filter(|known| known.endpoint.version == endpoint.version);
            let known = same.unwrap_or_else(|| self.begin(&endpoint, is_first, now_us));
            let id = endpoint.id.clone();
            self.known.insert(id, Known { endpoint, ..known });
        }
    }

    fn begin(&mut self, endpoint: &Endpoint, is_first: bool, now_us: u64) -> Known {
        self.lives += 1;
        let slow_start = if is_first {
            self.settings.slow_start_us
        } else {
            0
        };
        Known {
            endpoint: endpoint.clone(),
            life: self.lives,
            since_us: now_us.saturating_sub(slow_start),
            outstanding: 0,
            latency_us: 0.0,
            measured_us: now_us,
            picks: 0,
            failures: 0,
            record: Record::default(),
        }
    }

    /// How many endpoints there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The versions that some endpoint has.
    #[must_use]
    pub fn versions(&self) -> Vec<&str> {
        let versions = self
            .known
            .values()
            .map(|known| known.endpoint.version.as_str());
        let versions: std::collections::BTreeSet<&str> = versions.collect();
        versions.into_iter().collect()
    }

    /// The endpoint for the next call: of `version` if one is asked for and there is any, and none
    /// of those that were `tried` already if there is another. Two are drawn, and the cheaper one
    /// is taken. `None` if nobody may be called at all.
    pub fn pick(
        &mut self,
        version: Option<&str>,
        tried: &[String],
        draws: (u64, u64),
        now_us: u64,
    ) -> Option<Picked> {
        let candidates = self.candidates(version, tried, now_us);
        let first = draw(&candidates, draws.0)?;
        let rest: Vec<&Known> = candidates
            .iter()
            .copied()
            .filter(|known| known.life != first.life)
            .collect();
        let second = draw(&rest, draws.1);
        let zone_rest: Vec<&Known> = rest.iter().copied().filter(|k| self.is_near(k)).collect();
        let near = draw(&zone_rest, draws.1);
        let mut best = first;
        for other in second.into_iter().chain(near) {
            // As good as equal is equal: the first draw, which is by weight, is kept.
            if self.cost(other, now_us) < self.cost(best, now_us) * SAME {
                best = other;
            }
        }
        let picked = Picked {
            id: best.endpoint.id.clone(),
            life: best.life,
        };
        let known = self.known.get_mut(&picked.id)?;
        known.outstanding += 1;
        known.picks += 1;
        Some(picked)
    }

    fn candidates(&self, version: Option<&str>, tried: &[String], now_us: u64) -> Vec<&Known> {
        let callable = || {
            self.known
                .values()
                .filter(|known| known.endpoint.weight > 0)
        };
        let of_version = |known: &&Known| version.is_none_or(|v| known.endpoint.version == v);
        let fresh = |known: &&Known| !tried.contains(&known.endpoint.id);
        let inside = |known: &&Known| !known.record.is_out(now_us);
        // Each wish is given up before nobody is called, the last one first.
        let ladder: [Vec<&Known>; 4] = [
            callable()
                .filter(of_version)
                .filter(fresh)
                .filter(inside)
                .collect(),
            callable().filter(of_version).filter(inside).collect(),
            callable().filter(of_version).collect(),
            callable().collect(),
        ];
        ladder
            .into_iter()
            .find(|rung| !rung.is_empty())
            .unwrap_or_default()
    }

    fn is_near(&self, known: &Known) -> bool {
        !self.settings.zone.is_empty() && known.endpoint.zone == self.settings.zone
    }

    /// What a call there is expected to cost: how long calls take, times how many wait for one of
    /// its weight. Draws are by weight already, so that among idle ones the first drawn is taken.
    fn cost(&self, known: &Known, now_us: u64) -> f64 {
        let age = now_us.saturating_sub(known.since_us);
        let share = if age >= self.settings.slow_start_us {
            1.0
        } else {
            (age as f64 / self.settings.slow_start_us as f64).max(0.05)
        };
        let waiting = f64::from(known.outstanding) * 100.0 / f64::from(known.endpoint.weight);
        let near = self.settings.zone.is_empty() || self.is_near(known);
        let far = if near { 1.0 } else { self.settings.zone_factor };
        self.latency(known, now_us).max(1.0) * (waiting + 1.0) * far / share
    }

    /// What was measured is forgotten in time: one that was slow gets another chance.
    fn latency(&self, known: &Known, now_us: u64) -> f64 {
        let since = now_us.saturating_sub(known.measured_us) as f64;
        known.latency_us * (-since / self.settings.decay_us).exp()
    }

    /// A call has ended. One that was slower than is known of its endpoint counts by half, so that
    /// two in a row nearly count in full and one stroke of bad luck does not; one that was faster
    /// counts little by little.
    pub fn ended(&mut self, picked: Picked, outcome: Outcome, took_us: u64, now_us: u64) {
        let count = self.known.len();
        let out = self
            .known
            .values()
            .filter(|k| k.record.is_out(now_us))
            .count();
        let settings = &self.settings;
        let known = self
            .known
            .get_mut(&picked.id)
            .filter(|k| k.life == picked.life);
        let Some(known) = known else { return };
        known.outstanding = known.outstanding.saturating_sub(1);
        let took = took_us as f64;
        if outcome == Outcome::Abandoned {
            // It would have taken at least so long.
            known.latency_us = known.latency_us.max(took);
            return;
        }
        let since = now_us.saturating_sub(known.measured_us) as f64;
        known.measured_us = now_us;
        let keep = (-since / settings.decay_us).exp().min(0.9);
        known.latency_us = if took > known.latency_us {
            known.latency_us.max(took / 8.0).midpoint(took)
        } else {
            known.latency_us * keep + took * (1.0 - keep)
        };
        if outcome == Outcome::Succeeded {
            known.record.succeeded();
            return;
        }
        known.failures += 1;
        let bad = known.record.failed(&settings.outliers);
        let room = (out + 1) * 100 <= count * settings.outliers.percent_max as usize;
        if bad && room && !known.record.is_out(now_us) {
            known.record.eject(&settings.outliers, now_us);
        }
    }

    /// What is known of each endpoint, by name.
    #[must_use]
    pub fn stats(&self, now_us: u64) -> Vec<EndpointStats> {
        let all = self.known.values();
        all.map(|known| EndpointStats {
            endpoint: known.endpoint.clone(),
            outstanding: known.outstanding,
            latency_us: known.latency_us,
            picks: known.picks,
            failures: known.failures,
            out_until_us: known.record.out_until(now_us),
        })
        .collect()
    }
}

/// One of these, by their weights.
fn draw<'a>(candidates: &[&'a Known], number: u64) -> Option<&'a Known> {
    let weight = |known: &&Known| u64::from(known.endpoint.weight);
    let total: u64 = candidates.iter().map(weight).sum();
    let mut left = number.checked_rem(total)?;
    candidates.iter().copied().find(|known| {
        let weight = weight(known);
        let found = left < weight;
        left = left.saturating_sub(weight);
        found
    })
}
