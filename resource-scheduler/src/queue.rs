//! What waits for a place, and in which order it gets one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use model::{Class, InstanceId};
use queueing::{Aging, Discipline, Priority, Work};

/// Pause before what scheduling refused is decided again; doubled each time.
const RETRY_FIRST: Duration = Duration::from_millis(20);
/// The longest such pause.
const RETRY_LAST: Duration = Duration::from_secs(5);
/// What found no place is looked at again when something changed, but not more often.
const STIRRED_PAUSE: Duration = Duration::from_millis(100);

/// Instances by class, and nobody waits for ever.
pub(crate) struct Queue {
    order: Priority,
    ids: BTreeMap<InstanceId, Waits>,
    numbers: BTreeMap<u64, InstanceId>,
    next: u64,
    /// What is decided again at a time.
    later: BTreeSet<(Instant, u64)>,
    /// What found no place as things were.
    nowhere: BTreeSet<u64>,
    /// Whether things are otherwise now.
    stirred: bool,
    retried: Option<Instant>,
}

struct Waits {
    work: Work,
    refusals: u32,
    /// Why it has no place, as it was told.
    told: String,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            order: Priority::new(Aging::default()),
            ids: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next: 0,
            later: BTreeSet::new(),
            nowhere: BTreeSet::new(),
            stirred: false,
            retried: None,
        }
    }
}

impl Queue {
    /// It waits from now on; again if it did before.
    pub(crate) fn push(&mut self, id: InstanceId, class: Class, since_ms: u64) {
        if self.ids.contains_key(&id) {
            return;
        }
        let work = Work {
            class: class as u8,
            submitted_ms: since_ms,
            ..Work::new(self.next)
        };
        self.next += 1;
        self.order.push(work);
        self.numbers.insert(work.id, id.clone());
        let (refusals, told) = (0, String::new());
        let waits = Waits {
            work,
            refusals,
            told,
        };
        self.ids.insert(id, waits);
    }

    pub(crate) fn remove(&mut self, id: &InstanceId) {
        if let Some(waits) = self.ids.remove(id) {
            let number = waits.work.id;
            self.numbers.remove(&number);
            self.order.remove(number);
            self.nowhere.remove(&number);
            self.later.retain(|(_, later)| *later != number);
        }
    }

    /// Something changed that may make room.
    pub(crate) fn stir(&mut self) {
        self.stirred = true;
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// How many of them found no place as things are.
    pub(crate) fn nowhere(&self) -> usize {
        self.nowhere.len()
    }

    /// One that found no place as things are.
    pub(crate) fn first_nowhere(&self) -> Option<(&InstanceId, &str)> {
        let id = self.numbers.get(self.nowhere.first()?)?;
        Some((id, self.ids.get(id)?.told.as_str()))
    }

    /// Up to so many whose turn it is.
    pub(crate) fn turn(&mut self, most: usize, now: Instant, now_ms: u64) -> Vec<InstanceId> {
        self.bring_back(now);
        let turn = std::iter::from_fn(|| self.order.pop(now_ms)).take(most);
        let numbers: Vec<u64> = turn.map(|work| work.id).collect();
        let ids = numbers.iter();
        ids.filter_map(|number| self.numbers.get(number).cloned())
            .collect()
    }

    fn bring_back(&mut self, now: Instant) {
        let mut back = Vec::new();
        while let Some((at, number)) = self.later.first().copied()
            && at <= now
        {
            self.later.remove(&(at, number));
            back.push(number);
        }
        let rested = self.retried.is_none_or(|last| now >= last + STIRRED_PAUSE);
        if self.stirred && rested {
            self.stirred = false;
            self.retried = Some(now);
            back.extend(std::mem::take(&mut self.nowhere));
        }
        let known = |number| Some(self.ids.get(self.numbers.get(number)?)?.work);
        for work in back.iter().filter_map(known) {
            self.order.push(work);
        }
    }

    /// When there is something to do again by time alone.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let later = self.later.first().map(|(at, _)| *at);
        let waits = self.stirred && !self.nowhere.is_empty();
        let rested = self.retried.map_or(now, |last| last + STIRRED_PAUSE);
        later.into_iter().chain(waits.then_some(rested)).min()
    }

    /// It was its turn, and scheduling did not take what was decided.
    pub(crate) fn refused(&mut self, id: &InstanceId, now: Instant) {
        if let Some(waits) = self.ids.get_mut(id) {
            let pause = RETRY_FIRST * 2u32.saturating_pow(waits.refusals);
            waits.refusals += 1;
            let number = waits.work.id;
            self.later.insert((now + pause.min(RETRY_LAST), number));
        }
    }

    /// Scheduling was not told after all.
    pub(crate) fn untold(&mut self, id: &InstanceId) {
        if let Some(waits) = self.ids.get_mut(id) {
            waits.told.clear();
            self.stirred = true;
        }
    }

    /// It was its turn, and there is no place for it; whether scheduling is to be told why.
    pub(crate) fn no_place(&mut self, id: &InstanceId, why: &str) -> bool {
        let Some(waits) = self.ids.get_mut(id) else {
            return false;
        };
        self.nowhere.insert(waits.work.id);
        let is_news = waits.told != why;
        why.clone_into(&mut waits.told);
        is_news
    }
}
