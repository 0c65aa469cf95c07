//! Ruin and recreate: a stretch of one antenna is emptied, and filled again in another order.

use super::model::{PIECE_S, SPLIT_S, Track, Week};
use super::state::State;
use crate::random::Random;

/// How much worse a step may make things, at the begin and at the end.
const HOT: f64 = 0.003;
const COLD: f64 = 0.000_1;
const HOUR_S: usize = 3_600;
/// After how many steps a watcher is told.
const WATCH_STEPS: u64 = 1 << 10;

/// A plan from `steps` steps of search; the same week, seed and steps give the same plan.
#[must_use]
pub fn solve(week: &Week, seed: u64, steps: u64) -> Vec<Track> {
    solve_watched(week, seed, steps, &mut |_| ())
}

/// As [`solve`], and tells now and then how many steps are done.
#[must_use]
pub fn solve_watched(week: &Week, seed: u64, steps: u64, watch: &mut dyn FnMut(u64)) -> Vec<Track> {
    let mut search = Search {
        state: State::new(week),
        random: Random::new(seed),
        gaps: Vec::new(),
    };
    if week.requests.is_empty() || week.antennas == 0 || week.until_s <= week.from_s {
        return Vec::new();
    }
    search.fill((0..week.requests.len()).collect());
    search.state.commit();
    let mut cost = search.state.cost();
    let (mut best_cost, mut best) = (cost, search.state.tracks.concat());
    for step in 0..steps {
        if step.is_multiple_of(WATCH_STEPS) {
            watch(step);
        }
        search.step();
        let heat = HOT * (COLD / HOT).powf(step as f64 / steps as f64);
        let new = search.state.cost();
        if new <= cost || search.random.unit() < ((cost - new) / heat).exp() {
            cost = new;
            search.state.commit();
            if cost < best_cost - 1e-9 {
                best_cost = cost;
                best = search.state.tracks.concat();
            }
        } else {
            search.state.undo(0);
        }
    }
    best
}

struct Search<'a> {
    state: State<'a>,
    random: Random,
    gaps: Vec<(i64, i64)>,
}

impl Search<'_> {
    fn step(&mut self) {
        let week = self.state.week;
        let antenna = self.random.below(week.antennas);
        let span_s = (week.until_s - week.from_s) as usize;
        let from_s = week.from_s + self.random.below(span_s) as i64;
        let until_s = from_s + ((1 + self.random.below(24)) * HOUR_S) as i64;
        let overlaps = |entry: &&(i64, i64, Option<usize>)| entry.0 < until_s && from_s < entry.1;
        let busy = self.state.busy[antenna].iter().filter(overlaps);
        let mut chosen: Vec<usize> = busy.filter_map(|entry| entry.2).collect();
        for _ in 0..self.random.below(3) {
            chosen.push(self.random.below(week.requests.len()));
        }
        chosen.sort_unstable();
        chosen.dedup();
        for &request in &chosen {
            for track in self.state.tracks[request].clone() {
                self.state.remove(track);
            }
        }
        let unserved: Vec<usize> = (0..week.requests.len())
            .filter(|&request| self.state.tracks[request].is_empty())
            .filter(|request| !chosen.contains(request))
            .collect();
        for _ in 0..unserved.len().min(6) {
            chosen.push(unserved[self.random.below(unserved.len())]);
        }
        self.fill(chosen);
    }

    /// Gives requests what is free, in one of several orders, and lets short ones grow.
    fn fill(&mut self, mut chosen: Vec<usize>) {
        let order = self.random.below(3);
        let mut keyed: Vec<(f64, usize)> = Vec::new();
        for &request in &chosen {
            let noise = 0.5 + self.random.unit();
            let key = match order {
                0 => noise,
                1 => -self.state.missed(request) * noise,
                _ => -(self.state.week.requests[request].want_s as f64) * noise,
            };
            keyed.push((key, request));
        }
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let modest = self.random.below(2) == 0;
        for (_, request) in keyed {
            if self.state.tracks[request].is_empty() {
                self.place(request, modest);
            }
        }
        for _ in 0..8 {
            chosen.push(self.random.below(self.state.week.requests.len()));
        }
        for request in chosen {
            self.grow(request);
        }
    }

    /// All pieces of a request or none; a modest one takes its least.
    fn place(&mut self, request: usize, modest: bool) {
        let asked = &self.state.week.requests[request];
        let goal_s = if modest { asked.least_s } else { asked.want_s };
        let mark = self.state.mark();
        if let Some(track) = self.longest(request, asked.least_s.max(1), goal_s) {
            self.state.add(track);
            return;
        }
        if asked.want_s < SPLIT_S {
            return;
        }
        let (want_s, least_s) = (asked.want_s, asked.least_s);
        let mut given_s = 0;
        while want_s - given_s >= PIECE_S && given_s < goal_s {
            let missing_s = (goal_s - given_s).max(PIECE_S);
            let Some(mut track) = self.longest(request, PIECE_S, missing_s) else {
                break;
            };
            let left_s = want_s - given_s - (track.off_s - track.on_s);
            if given_s + (track.off_s - track.on_s) < least_s && left_s < PIECE_S {
                track.off_s = (track.off_s - (PIECE_S - left_s)).max(track.on_s + PIECE_S);
            }
            given_s += track.off_s - track.on_s;
            self.state.add(track);
        }
        if given_s < least_s {
            self.state.undo(mark);
        }
    }

    /// The longest free track of a request up to a goal; among equals a random one.
    fn longest(&mut self, request: usize, least_s: i64, goal_s: i64) -> Option<Track> {
        let mut best = None;
        let mut gaps = std::mem::take(&mut self.gaps);
        let ways = self.state.week.requests[request].ways.len();
        for way in 0..ways {
            self.state.gaps(request, way, &mut gaps);
            for &(from_s, until_s) in &gaps {
                let length_s = (until_s - from_s).min(goal_s);
                if length_s < least_s {
                    continue;
                }
                let rank = (length_s, self.random.next());
                if best.is_none_or(|(other, _, _)| rank > other) {
                    best = Some((rank, way, (from_s, until_s)));
                }
            }
        }
        self.gaps = gaps;
        let ((length_s, coin), way, (from_s, until_s)) = best?;
        let on_s = if coin.is_multiple_of(2) {
            from_s
        } else {
            until_s - length_s
        };
        let off_s = on_s + length_s;
        Some(Track {
            request,
            way,
            on_s,
            off_s,
        })
    }

    /// Lets the tracks of a request fill the gaps they lie in, up to what it wants.
    fn grow(&mut self, request: usize) {
        let mut missing_s = self.state.week.requests[request].want_s - self.state.given_s(request);
        if missing_s <= 0 {
            return;
        }
        let mut gaps = std::mem::take(&mut self.gaps);
        for track in self.state.tracks[request].clone() {
            self.state.remove(track);
            self.state.gaps(request, track.way, &mut gaps);
            let mut grown = track;
            let around = gaps
                .iter()
                .find(|gap| gap.0 <= track.on_s && track.off_s <= gap.1);
            if let Some(&(from_s, until_s)) = around {
                grown.off_s = until_s.min(track.off_s + missing_s);
                missing_s -= grown.off_s - track.off_s;
                grown.on_s = from_s.max(track.on_s - missing_s);
                missing_s -= track.on_s - grown.on_s;
            }
            self.state.add(grown);
        }
        self.gaps = gaps;
    }
}
