//! A plan under construction: which contacts are taken, and what stands in the way of another.
//!
//! Antennas of a site are alike, so contacts fit if no more of them overlap than there are
//! antennas (intervals can then be coloured, first fit by their begin). Which antenna takes which
//! is said at the end.

use crate::model::{Assignment, Plan, Problem};
use crate::random::Random;

/// A contact with the time its antenna is busy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) request: usize,
    pub(crate) contact: usize,
    pub(crate) site: usize,
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
}

/// All contacts of a problem, in one row, those of a request side by side.
pub(crate) fn slots(problem: &Problem) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (request, asked) in problem.requests().iter().enumerate() {
        for (contact, at) in asked.contacts.iter().enumerate() {
            let site = problem.sites()[at.site];
            slots.push(Slot {
                request,
                contact,
                site: at.site,
                from_ms: at.from_ms - site.setup_ms,
                until_ms: at.until_ms + site.teardown_ms,
            });
        }
    }
    slots
}

pub(crate) struct Pool<'a> {
    problem: &'a Problem,
    slots: Vec<Slot>,
    /// For each request where its slots begin; one more at the end.
    begins: Vec<usize>,
    /// For each slot those of other requests that overlap it at its site, by their begin.
    rivals: Vec<Vec<usize>>,
    /// For each request the slot it has.
    chosen: Vec<Option<usize>>,
}

impl<'a> Pool<'a> {
    pub(crate) fn new(problem: &'a Problem) -> Self {
        let slots = slots(problem);
        let mut begins = vec![0];
        for request in problem.requests() {
            begins.push(begins[begins.len() - 1] + request.contacts.len());
        }
        Self {
            rivals: rivals(&slots, problem.sites().len()),
            chosen: vec![None; problem.requests().len()],
            problem,
            slots,
            begins,
        }
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The slots of a request, as indices.
    pub(crate) fn of(&self, request: usize) -> std::ops::Range<usize> {
        self.begins[request]..self.begins[request + 1]
    }

    pub(crate) fn chosen(&self, request: usize) -> Option<usize> {
        self.chosen[request]
    }

    pub(crate) fn set(&mut self, request: usize, slot: Option<usize>) {
        self.chosen[request] = slot;
    }

    pub(crate) fn weight(&self, request: usize) -> u32 {
        self.problem.requests()[request].weight
    }

    fn taken(&self, slot: usize) -> bool {
        self.chosen[self.slots[slot].request] == Some(slot)
    }

    /// Whether a slot is free: it could be taken and nobody would have to give way.
    pub(crate) fn fits(&self, slot: usize) -> bool {
        self.crowded(slot, |_| None)
    }

    /// The requests that must give way for a slot: light ones, those that end last first or any.
    pub(crate) fn obstacles(&self, slot: usize, random: &mut Random, out: &mut Vec<usize>) {
        out.clear();
        let any = random.below(2) == 0;
        self.crowded(slot, |active| {
            let places = 0..active.len();
            let place = places.min_by_key(|&place| {
                let other = self.slots[active[place]];
                let last = if any {
                    random.next() as i64
                } else {
                    -other.until_ms
                };
                (self.weight(other.request), last)
            })?;
            out.push(self.slots[active[place]].request);
            Some(place)
        });
    }

    /// Goes through the moments of a slot at which it finds all antennas taken, and asks each time
    /// which of the slots that are active there gives way. Whether there was none that had to stay.
    fn crowded(&self, slot: usize, mut give_way: impl FnMut(&[usize]) -> Option<usize>) -> bool {
        let at = self.slots[slot];
        let room = self.problem.sites()[at.site].antennas - 1;
        let mut active: Vec<usize> = Vec::new();
        for &rival in &self.rivals[slot] {
            if !self.taken(rival) {
                continue;
            }
            let from_ms = self.slots[rival].from_ms.max(at.from_ms);
            active.retain(|&other| self.slots[other].until_ms > from_ms);
            active.push(rival);
            if active.len() > room {
                match give_way(&active) {
                    Some(place) => active.swap_remove(place),
                    None => return false,
                };
            }
        }
        true
    }

    pub(crate) fn worth(&self) -> u64 {
        let served = (0..self.chosen.len()).filter(|&request| self.chosen[request].is_some());
        served.map(|request| u64::from(self.weight(request))).sum()
    }

    /// The plan, with an antenna for each contact.
    pub(crate) fn plan(&self) -> Plan {
        let mut taken: Vec<Slot> = self
            .chosen
            .iter()
            .flatten()
            .map(|&at| self.slots[at])
            .collect();
        taken.sort_by_key(|slot| (slot.from_ms, slot.until_ms, slot.request));
        let sites = self.problem.sites().iter();
        let mut free_ms: Vec<Vec<i64>> = sites.map(|site| vec![i64::MIN; site.antennas]).collect();
        let mut assignments = vec![None; self.chosen.len()];
        for slot in taken {
            let row = &mut free_ms[slot.site];
            if let Some(antenna) = row.iter().position(|&free_ms| free_ms <= slot.from_ms) {
                row[antenna] = slot.until_ms;
                let contact = slot.contact;
                assignments[slot.request] = Some(Assignment { contact, antenna });
            }
        }
        Plan { assignments }
    }
}

fn rivals(slots: &[Slot], sites: usize) -> Vec<Vec<usize>> {
    let mut by_site = vec![Vec::new(); sites];
    for (index, slot) in slots.iter().enumerate() {
        by_site[slot.site].push(index);
    }
    let mut rivals = vec![Vec::new(); slots.len()];
    for row in &mut by_site {
        row.sort_by_key(|&index| (slots[index].from_ms, index));
        for (place, &one) in row.iter().enumerate() {
            for &other in &row[place + 1..] {
                if slots[other].from_ms >= slots[one].until_ms {
                    break;
                }
                if slots[other].request != slots[one].request {
                    rivals[one].push(other);
                    rivals[other].push(one);
                }
            }
        }
    }
    for row in &mut rivals {
        row.sort_by_key(|&index| (slots[index].from_ms, index));
    }
    rivals
}
