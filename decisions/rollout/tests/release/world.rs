//! A service whose slots change their version as `scheduling` changes them, with a clock.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rollout::{
    Decision, Facts, Hold, Latency, Live, Phase, Plan, Release, Reported, Stats, Strategy, Was,
    decide, rescaled,
};

/// From one look to the next.
pub(crate) const TICK_MS: u64 = 200;
/// How long a step must be well, and how long nothing may become so.
pub(crate) const SETTLE_MS: u64 = 400;
pub(crate) const PROGRESS_MS: u64 = 10_000;

/// How instances of the newer version are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newer {
    Good,
    NeverReady,
    Dies,
    AnswersErrors,
}

/// One slot: what it runs, and when that is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    newer: bool,
    healthy_at: u64,
}

pub(crate) struct World {
    pub(crate) replicas: u32,
    pub(crate) was: Was,
    slots: Vec<Slot>,
    pub(crate) newer: Newer,
    failures: u32,
    pub(crate) now: u64,
    /// How long an instance takes to be healthy.
    pub(crate) start_ms: u64,
    /// How much longer it takes in each slot than in the one before.
    pub(crate) one_by_one_ms: u64,
    /// Whether less than was wished for was there by somebody's decision.
    pub(crate) wrong: Vec<String>,
    pub(crate) most_beyond: u32,
}

impl World {
    pub(crate) fn new(replicas: u32, newer: Newer) -> Self {
        let slot = Slot {
            newer: false,
            healthy_at: 0,
        };
        Self {
            replicas,
            was: Was::Older { closed: false },
            slots: vec![slot; replicas as usize],
            newer,
            failures: 0,
            now: 0,
            start_ms: TICK_MS,
            one_by_one_ms: 0,
            wrong: Vec::new(),
            most_beyond: 0,
        }
    }

    fn is_healthy(&self, slot: &Slot) -> bool {
        let can_be = !slot.newer || matches!(self.newer, Newer::Good | Newer::AnswersErrors);
        can_be && slot.healthy_at <= self.now
    }

    pub(crate) fn healthy(&self) -> usize {
        let healthy = self.slots.iter().filter(|slot| self.is_healthy(slot));
        healthy.count()
    }

    /// Whether each slot runs the newer version.
    pub(crate) fn versions(&self) -> Vec<bool> {
        self.slots.iter().map(|slot| slot.newer).collect()
    }

    pub(crate) fn facts(&self) -> Facts {
        let live = self.slots.iter().zip(0..).map(|(slot, index)| Live {
            index,
            newer: slot.newer,
            healthy: self.is_healthy(slot),
        });
        let newer = self
            .slots
            .iter()
            .any(|slot| slot.newer && self.is_healthy(slot));
        let calls = self.now * u64::from(newer);
        let errors = if self.newer == Newer::AnswersErrors {
            calls
        } else {
            0
        };
        let stats = |calls, errors| Stats {
            calls,
            errors,
            latency: Latency::new(BTreeMap::from([(100, calls), (u64::MAX, calls)])),
        };
        Facts {
            replicas: self.replicas,
            was: self.was,
            live: live.collect(),
            reported: Reported {
                failures: self.failures,
            },
            old: stats(self.now, 0),
            new: stats(calls, errors),
        }
    }

    fn surge(&self) -> u32 {
        match self.was {
            Was::Ours { surge, .. } => surge,
            _ => 0,
        }
    }

    pub(crate) fn act(&mut self, release: &Release, decision: &Decision) {
        let before = self.healthy().min(self.replicas as usize);
        match (decision, self.was) {
            (Decision::Begin { from, surge }, Was::Older { closed: false })
            | (Decision::Move { from, surge }, Was::Ours { .. }) => {
                let (from, surge) = (*from, *surge);
                self.was = Was::Ours { from, surge };
            }
            (Decision::Promote, Was::Ours { from: 0, .. }) => self.was = Was::Newer,
            (Decision::Withdraw, Was::Ours { .. } | Was::Older { .. }) => {
                self.was = Was::Older { closed: true };
            }
            _ => {}
        }
        self.most_beyond = self.most_beyond.max(self.surge());
        self.slots.truncate((self.replicas + self.surge()) as usize);
        // What cannot be made well for so long is given up.
        let given_up = release.progress.stalled_ms(self.now) >= PROGRESS_MS;
        if self.healthy() < before && !given_up {
            let wrong = format!("{} of {before} after {decision:?}", self.healthy());
            self.wrong.push(wrong);
        }
    }

    /// As many slots at a time as there are healthy ones beyond what is wished for; what is sick
    /// has nothing to lose.
    pub(crate) fn time_goes_by(&mut self) {
        self.now += TICK_MS;
        let slots = (self.replicas + self.surge()) as usize;
        let (from, base) = match self.was {
            Was::Ours { from, .. } => (u64::from(from), false),
            was => (u64::MAX, was == Was::Newer),
        };
        let wanted = |index: usize| index as u64 >= from || base;
        while self.slots.len() < slots {
            self.start(self.slots.len(), wanted(self.slots.len()));
        }
        let mut spare = self.healthy().saturating_sub(self.replicas as usize);
        for index in 0..slots {
            let slot = self.slots[index];
            if slot.newer == wanted(index) {
                continue;
            }
            let healthy = self.is_healthy(&slot);
            if healthy && spare == 0 {
                continue;
            }
            spare -= usize::from(healthy);
            self.start(index, wanted(index));
        }
    }

    fn start(&mut self, index: usize, newer: bool) {
        let later_ms = self.one_by_one_ms * (index as u64 % u64::from(self.replicas.max(1)));
        let slot = Slot {
            newer,
            healthy_at: self.now + self.start_ms + later_ms,
        };
        match self.slots.get_mut(index) {
            Some(here) => *here = slot,
            None => self.slots.push(slot),
        }
        self.failures += u32::from(newer && self.newer == Newer::Dies);
    }

    /// One instance ends for a reason of its own, and is started again.
    pub(crate) fn restart(&mut self, which: usize) {
        let Some(index) = which.checked_rem(self.slots.len()) else {
            return;
        };
        let at = self.now + self.start_ms;
        self.slots[index].healthy_at = self.slots[index].healthy_at.max(at);
    }

    /// An instance of the newer version ends for a reason of its own.
    pub(crate) fn die(&mut self) {
        self.failures += 1;
    }

    /// As `scheduling` does it: at most the same share of the slots runs the newer version.
    pub(crate) fn scale(&mut self, replicas: u32) {
        if let Was::Ours { from, surge } = self.was {
            let from = if from >= self.replicas {
                from.saturating_add(replicas).saturating_sub(self.replicas)
            } else {
                (from * replicas).div_ceil(self.replicas)
            };
            self.was = Was::Ours { from, surge };
        }
        self.replicas = replicas;
        self.slots.truncate((replicas + self.surge()) as usize);
        while self.slots.len() < (replicas + self.surge()) as usize {
            let index = self.slots.len();
            let from = match self.was {
                Was::Ours { from, .. } => from as usize,
                _ => usize::MAX,
            };
            self.start(index, index >= from || self.was == Was::Newer);
        }
    }

    /// One look, acted on.
    pub(crate) fn turn(&mut self, release: &Release) -> Release {
        let (next, decision) = decide(release, &self.facts(), self.now);
        if next.phase == Phase::Running && release.phase == Phase::Running {
            self.check_step(release, &next);
        }
        self.act(&next, &decision);
        self.time_goes_by();
        next
    }

    /// No step is left out, whatever happens to the service meanwhile.
    fn check_step(&mut self, before: &Release, after: &Release) {
        let plan = &before.plan;
        let here = rescaled(plan, before.step, before.replicas, after.replicas);
        if after.step > here + 1 {
            let wrong = format!("from step {here} to {}", after.step);
            self.wrong.push(wrong);
        }
    }

    /// Until it is over; panics if that takes a day.
    pub(crate) fn run(&mut self, mut release: Release) -> Release {
        while self.now < 86_400_000 {
            release = self.turn(&release);
            if release.phase.is_over() {
                return release;
            }
        }
        panic!("it does not end: {release:?} {:?}", self.facts());
    }
}

pub(crate) fn plan(strategy: Strategy) -> Plan {
    Plan {
        settle_ms: SETTLE_MS,
        progress_ms: PROGRESS_MS,
        ..Plan::new(strategy)
    }
}

pub(crate) fn begin(strategy: Strategy, replicas: u32) -> Release {
    Release::new(plan(strategy), replicas)
}

pub(crate) fn any_strategy() -> impl proptest::strategy::Strategy<Value = Strategy> {
    let hold = |percent| Hold {
        percent,
        hold_ms: 1_000,
    };
    prop_oneof![
        Just(Strategy::Rolling),
        Just(Strategy::Canary(vec![hold(5), hold(25), hold(50)])),
        Just(Strategy::BlueGreen { keep_ms: 2_000 }),
    ]
}
